import { isObject } from '../../core/project/intrinsics.ts';
import { parseTemplate } from '../../core/project/yaml.ts';
import type { Snapshot } from '../../core/release/snapshot.ts';
import type { ArtifactBucket } from './artifact-bucket.ts';

/**
 * The template that runs; {} where there is none, or nobody can read it.
 * @param stage as it was written, or as CloudFormation has expanded it: a stack that others have deployed has its versions
 *   and aliases in the latter alone
 */
export async function templateBefore(
  { templateKey, processedKey }: Snapshot,
  bucket: ArtifactBucket,
  stage: 'written' | 'expanded',
): Promise<Record<string, unknown>> {
  const key = stage === 'expanded' ? processedKey : templateKey;
  if (key === undefined) return {};
  try {
    const template = parseTemplate(await bucket.readText(key), key);
    return isObject(template) ? template : {};
  } catch {
    return {};
  }
}

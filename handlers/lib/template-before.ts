import { isObject } from '../../core/project/intrinsics.ts';
import { parseTemplate } from '../../core/project/yaml.ts';
import type { Snapshot } from '../../core/release/snapshot.ts';
import type { ArtifactBucket } from './artifact-bucket.ts';

/** The template that runs, as it was written; {} where there is none, or nobody can read it. */
export async function templateBefore(
  { templateKey }: Snapshot,
  bucket: ArtifactBucket,
): Promise<Record<string, unknown>> {
  if (templateKey === undefined) return {};
  try {
    const template = parseTemplate(await bucket.readText(templateKey), templateKey);
    return isObject(template) ? template : {};
  } catch {
    return {};
  }
}

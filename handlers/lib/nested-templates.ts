import { objectOf } from '../../core/project/intrinsics.ts';
import { NESTED } from '../../core/project/nested.ts';
import { parseTemplate } from '../../core/project/yaml.ts';
import { keys } from '../../core/release/release.ts';
import { sha256 } from '../../core/sha256.ts';
import type { ArtifactBucket } from './artifact-bucket.ts';

/** The hash in the address of a nested template that the pipeline has put into the artifact bucket. */
const HASHED = /\/nested\/([0-9a-f]{64})\.json$/;

/**
 * A nested template that is not what its name says, at whatever depth, or undefined where all are.
 * @returns its key in the artifact bucket
 */
export async function changedNested(bucket: ArtifactBucket, template: unknown): Promise<string | undefined> {
  for (const resource of Object.values(objectOf(objectOf(template)['Resources']))) {
    const { Type, Properties } = objectOf(resource);
    const property = NESTED[String(Type)];
    const url = property && objectOf(Properties)[property];
    const hash = typeof url === 'string' ? HASHED.exec(url)?.[1] : undefined;
    if (hash === undefined) continue;
    const text = await bucket.readText(keys.nested(hash));
    if (sha256(text) !== hash) return keys.nested(hash);
    const inner = await changedNested(bucket, parseTemplate(text, keys.nested(hash)));
    if (inner !== undefined) return inner;
  }
  return undefined;
}

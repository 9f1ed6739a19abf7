import { z } from 'zod';
import { ArtifactChangedError } from '../../core/errors.ts';
import { objectOf } from '../../core/project/intrinsics.ts';
import { nestingKey } from '../../core/project/nested.ts';
import { keys } from '../../core/release/release.ts';
import { sha256 } from '../../core/sha256.ts';
import type { ArtifactBucket } from './artifact-bucket.ts';

const templateSchema = z.record(z.string(), z.unknown());
export type Template = z.output<typeof templateSchema>;

/** The hash in the address of a nested template that the pipeline has put into the artifact bucket. */
const HASHED = /\/nested\/([0-9a-f]{64})\.json$/;

/** The hash of the template that a resource nests, where it is one of the pipeline's. */
export function hashOf(resource: unknown): string | undefined {
  const { Type, Properties } = objectOf(resource);
  const property = nestingKey(Type);
  const url = property && objectOf(Properties)[property];
  return typeof url === 'string' ? HASHED.exec(url)?.[1] : undefined;
}

/** @throws ArtifactChangedError where it is not what its name says */
export async function readNested(bucket: ArtifactBucket, hash: string): Promise<Template> {
  const key = keys.nested(hash);
  const text = await bucket.readText(key);
  if (sha256(text) !== hash)
    throw new ArtifactChangedError(
      `nested template ${key} is not what its name says; somebody changed it. Delete it in the artifact bucket and start the release anew`,
    );
  return templateSchema.parse(JSON.parse(text));
}

/** The nested template of a stack as it runs; {} where it is none of the pipeline's, or nobody can read it. */
export async function nestedBefore(
  bucket: ArtifactBucket,
  before: Template,
  logicalId: string,
): Promise<Template> {
  const hash = hashOf(objectOf(before['Resources'])[logicalId]);
  return hash === undefined ? {} : readNested(bucket, hash).catch(() => ({}));
}

/** @throws ArtifactChangedError where a nested template, at whatever depth, is not what its name says */
export async function refuseChangedNested(bucket: ArtifactBucket, template: unknown): Promise<void> {
  for (const resource of Object.values(objectOf(objectOf(template)['Resources']))) {
    const hash = hashOf(resource);
    if (hash !== undefined) await refuseChangedNested(bucket, await readNested(bucket, hash));
  }
}

/** Where in the templates of a release a resource stands. */
export interface PlaceInTemplates {
  /** Its own template; {} where nobody can read it. */
  template: Template;
  /** Its logical id there. */
  logicalId: string;
  /** The parameters that each nesting template gives inwards, the outermost first. */
  given: Record<string, unknown>[];
}

/**
 * Finds a resource's own template. @param template the outermost
 * @param path STACK.RESOURCE, at whatever depth
 */
export async function placeIn(
  bucket: ArtifactBucket,
  template: Template,
  path: string,
): Promise<PlaceInTemplates> {
  const stacks = path.split('.');
  const logicalId = stacks.pop() ?? path;
  const given: Record<string, unknown>[] = [];
  let inner = template;
  for (const stack of stacks) {
    const resource = objectOf(objectOf(inner['Resources'])[stack]);
    given.push(objectOf(objectOf(resource['Properties'])['Parameters']));
    inner = await nestedBefore(bucket, inner, stack);
  }
  return { template: inner, logicalId, given };
}

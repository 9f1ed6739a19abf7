import { z } from 'zod';
import { ArtifactChangedError } from '../../core/errors.ts';
import { objectOf } from '../../core/project/intrinsics.ts';
import { NESTED, withNested } from '../../core/project/nested.ts';
import { keys } from '../../core/release/release.ts';
import { templateUrl } from '../../core/release/template-url.ts';
import { sha256 } from '../../core/sha256.ts';
import type { ArtifactBucket } from './artifact-bucket.ts';

const templateSchema = z.record(z.string(), z.unknown());
type Template = z.output<typeof templateSchema>;

/** The hash in the address of a nested template that the pipeline has put into the artifact bucket. */
const HASHED = /\/nested\/([0-9a-f]{64})\.json$/;

function hashOf(resource: unknown): string | undefined {
  const { Type, Properties } = objectOf(resource);
  const property = NESTED[String(Type)];
  const url = property && objectOf(Properties)[property];
  return typeof url === 'string' ? HASHED.exec(url)?.[1] : undefined;
}

/** @throws ArtifactChangedError where it is not what its name says */
async function readNested(bucket: ArtifactBucket, hash: string): Promise<Template> {
  const key = keys.nested(hash);
  const text = await bucket.readText(key);
  if (sha256(text) !== hash)
    throw new ArtifactChangedError(
      `nested template ${key} is not what its name says; somebody changed it. Delete it in the artifact bucket and start the release anew`,
    );
  return templateSchema.parse(JSON.parse(text));
}

/** @throws ArtifactChangedError where a nested template, at whatever depth, is not what its name says */
export async function refuseChangedNested(bucket: ArtifactBucket, template: unknown): Promise<void> {
  for (const resource of Object.values(objectOf(objectOf(template)['Resources']))) {
    const hash = hashOf(resource);
    if (hash !== undefined) await refuseChangedNested(bucket, await readNested(bucket, hash));
  }
}

/**
 * A template, filled in, with the nested ones filled in likewise, at whatever depth: under the hash of what they are then.
 * Done twice, it writes the same.
 * @throws ArtifactChangedError where one is not what its name says
 */
export async function fillNested(
  bucket: ArtifactBucket,
  region: string,
  template: Template,
  fill: (template: Template) => Template,
): Promise<Template> {
  const urls = new Map<string, string>();
  const filled = fill(template);
  for (const [id, resource] of Object.entries(objectOf(filled['Resources']))) {
    const hash = hashOf(resource);
    if (hash === undefined) continue;
    const inner = await fillNested(bucket, region, await readNested(bucket, hash), fill);
    const text = JSON.stringify(inner);
    const key = keys.nested(sha256(text));
    if (key !== keys.nested(hash)) await bucket.write(key, text);
    urls.set(id, templateUrl(region, bucket.name, key));
  }
  return withNested(filled, urls);
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
 * @throws ArtifactChangedError where a nested template is not what its name says
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
    const hash = hashOf(resource);
    inner = hash === undefined ? {} : await readNested(bucket, hash);
  }
  return { template: inner, logicalId, given };
}

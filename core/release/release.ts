import { z } from 'zod';
import { InvalidInputError } from '../errors.ts';
import { sha256 } from '../sha256.ts';

/** CloudFormation's own pattern of a stack name. */
export const stackNameSchema = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9-]{0,127}$/, 'letters, digits and -, beginning with a letter');

const sourceSchema = z.object({
  bucket: z.string().min(3).max(63),
  key: z.string().min(1).max(1024),
  /** Version of the object; the newest when it is missing. */
  versionId: z.string().max(1024).optional(),
});

/** Logical id of a resource, or a parameter's name; of a nested stack behind that stack's own and a dot. */
export const logicalPathSchema = z.string().regex(/^[A-Za-z0-9]{1,255}(\.[A-Za-z0-9]{1,255}){0,5}$/);

/** What a person writes in the console, the command line sends, and the upload's event is turned into. */
export const startSchema = z.strictObject({
  /** The zip of the project. */
  source: sourceSchema,
  /** @default the part of the key between projects/ and the next / or .zip */
  stackName: stackNameSchema.optional(),
  /** Values of the template's parameters. @default their defaults */
  parameters: z.record(z.string().regex(/^[A-Za-z0-9]{1,255}$/), z.string().max(4096)).default({}),
  /** Whether a failure restores the snapshot. @default true */
  rollback: z.boolean().default(true),
  /** Releases the newest version of the object alone: an event of an older one has come late. @default false */
  onlyNewest: z.boolean().default(false),
  /** One run a key. @default the object's version */
  idempotencyKey: z.string().min(1).max(200).optional(),
  /**
   * Logical ids of resources with data that this release may delete or replace, of nested stacks STACK.RESOURCE, and names of
   * NoEcho parameters that it may set anew or drop. @default none
   */
  allowDataLoss: z.array(logicalPathSchema).max(100).default([]),
  /** What to do while another execution releases the stack. @default refuse */
  whenLocked: z.enum(['refuse', 'wait']).default('refuse'),
  /** Starts though the last rollback failed: only after the stack has been repaired. @default false */
  unlock: z.boolean().default(false),
});

/** One run of the pipeline, as every state knows it. */
export const releaseSchema = z.object({
  id: z.string().regex(/^[a-z0-9-]{8,80}$/),
  stackName: stackNameSchema,
  source: sourceSchema.extend({ versionId: z.string().optional() }),
  parameters: z.record(z.string(), z.string()),
  rollback: z.boolean(),
  /** What holds data, or a value that nobody sees, and may be deleted or replaced by it. */
  allowDataLoss: z.array(z.string()).default([]),
  startedAt: z.iso.datetime(),
});

export type Start = z.infer<typeof startSchema>;
export type Release = z.infer<typeof releaseSchema>;

/** `projects/item-prediction.zip` and `projects/item-prediction/anything.zip` are the stack item-prediction. */
export function stackNameOfKey(key: string): string | undefined {
  return /^projects\/([A-Za-z][A-Za-z0-9-]{0,127})(?:\.zip|\/[^/]+\.zip)$/.exec(key)?.[1];
}

/** @throws InvalidInputError where neither the input nor its key names a stack */
export function stackNameOf({ stackName, source }: Start): string {
  const name = stackName ?? stackNameOfKey(source.key);
  if (name) return name;
  throw new InvalidInputError(
    `source.key: "${source.key}" names no stack; give stackName, or upload to projects/STACK.zip`,
  );
}

/** Tag that says on a stack which release it is. */
export const RELEASE_TAG = 'plimsoll:release';

/** A release's id sorts by time and is the same for each retry of one execution. */
export function releaseId(startedAt: string, executionName: string): string {
  // To the millisecond: two releases may begin within one second.
  const time = new Date(startedAt).toISOString().replace(/[-:.]/g, '').toLowerCase();
  return `${time}-${sha256(executionName).slice(0, 8)}`;
}

/** Where things lie in the artifact bucket. Artifacts are found by content, the rest by release. */
export const keys = {
  folder: (release: Pick<Release, 'id' | 'stackName'>) => `releases/${release.stackName}/${release.id}`,
  plan: (release: Pick<Release, 'id' | 'stackName'>) => `${keys.folder(release)}/plan.json`,
  template: (release: Pick<Release, 'id' | 'stackName'>) => `${keys.folder(release)}/template.json`,
  held: (release: Pick<Release, 'id' | 'stackName'>) => `${keys.folder(release)}/held.json`,
  deployable: (release: Pick<Release, 'id' | 'stackName'>) => `${keys.folder(release)}/deployable.json`,
  snapshot: (release: Pick<Release, 'id' | 'stackName'>) => `${keys.folder(release)}/snapshot.json`,
  snapshotTemplate: (release: Pick<Release, 'id' | 'stackName'>) =>
    `${keys.folder(release)}/snapshot-template`,
  validated: (release: Pick<Release, 'id' | 'stackName'>) => `${keys.folder(release)}/validated.json`,
  snapshotProcessed: (release: Pick<Release, 'id' | 'stackName'>) =>
    `${keys.folder(release)}/snapshot-processed`,
  /** What one batch of functions has shown, or the whole of them where it is one report. */
  report: (release: Pick<Release, 'id' | 'stackName'>, what: string, batch = 0) =>
    `${keys.folder(release)}/${what}/${batch}.json`,
  sizes: (release: Pick<Release, 'id' | 'stackName'>) => `${keys.folder(release)}/sizes.json`,
  failure: (release: Pick<Release, 'id' | 'stackName'>, step: string) =>
    `${keys.folder(release)}/failures/${step}.json`,
  /** Of a nested template, by the hash of its text. */
  nested: (sha256: string) => `nested/${sha256}.json`,
  /** Of a file that a template names, by its content. */
  upload: (sha256: string, name: string) => `uploads/${sha256}/${name}`,
  /** A wheel that was built of what has none. */
  wheel: (sha256: string, file: string) => `wheels/${sha256}/${file}`,
  /** A layer version of others, by the hash of its zip. */
  external: (sha256: string) => `external/${sha256}.zip`,
  decisions: (decisionsKey: string) => `decisions/${decisionsKey}.json`,
  zip: (kind: 'layer' | 'function', name: string, key: string) => `${kind}s/${name}/${key}/${kind}.zip`,
  removed: (kind: 'layer' | 'function', name: string, key: string) => `${kind}s/${name}/${key}/removed.zip`,
  sbom: (kind: 'layer' | 'function', name: string, key: string) => `${kind}s/${name}/${key}/sbom.cdx.json`,
  manifest: (kind: 'layer' | 'function', name: string, key: string) =>
    `${kind}s/${name}/${key}/manifest.json`,
};

/** Why a build failed, as the build itself says it. */
export const buildFailureSchema = z.object({ name: z.string(), message: z.string() });
export type BuildFailure = z.infer<typeof buildFailureSchema>;

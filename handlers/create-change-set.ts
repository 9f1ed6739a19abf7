import {
  ChangeSetType,
  CloudFormationClient,
  type Parameter,
  type Stack,
} from '@aws-sdk/client-cloudformation';
import { S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { assumedValues } from '../core/release/assumed.ts';
import { type BuildPlan, buildPlanSchema } from '../core/release/build-plan.ts';
import type { CodeLocation, Deployment } from '../core/release/deployable.ts';
import { type Holds, isHoldParameter } from '../core/release/hold.ts';
import { comparable, refuseLostValues, withSetters } from '../core/release/no-echo.ts';
import { keys, RELEASE_TAG, type Release, releaseSchema } from '../core/release/release.ts';
import { type Snapshot, snapshotSchema } from '../core/release/snapshot.ts';
import { type Stored, storedSchema } from '../core/release/stored.ts';
import { ArtifactBucket } from './lib/artifact-bucket.ts';
import { changeSetNames, createSet } from './lib/change-set.ts';
import { lambdaHandler, setting } from './lib/handler.ts';
import { ReleaseTemplates } from './lib/release-template.ts';
import { describeStack } from './lib/stack.ts';
import { StackLock } from './lib/stack-lock.ts';
import { templateBefore } from './lib/template-before.ts';
import { ValidatedArtifacts } from './lib/validated.ts';

const inputSchema = z.object({
  release: releaseSchema,
  /** ARN of the execution that releases the stack. */
  execution: z.string(),
  snapshot: storedSchema,
  layers: z.record(z.string(), z.string()),
  /** Whether what was held is proven and live: then the stack is to say so, too. */
  settle: z.boolean(),
});
type Input = z.output<typeof inputSchema>;

interface Clients {
  cloudformation: CloudFormationClient;
  bucket: ArtifactBucket;
  lock: StackLock;
  /** Role that CloudFormation acts with. */
  roleArn: string;
  region: string;
}

interface Output {
  changeSetName: string;
  /** Aliases that stay where they are until their functions' new versions are proven; null where there are none. */
  held: Stored | null;
  /** How traffic goes over then. */
  steps: BuildPlan['traffic']['steps'];
}

const templateSchema = z.record(z.string(), z.unknown());
type Template = z.output<typeof templateSchema>;

/** What the release has built and published, by logical id in the plan. */
async function deploymentOf(
  { release, layers }: Input,
  plan: BuildPlan,
  bucket: ArtifactBucket,
): Promise<Deployment> {
  const validated = await ValidatedArtifacts.read(bucket, release);
  const functions = plan.functions.map((fn): [string, CodeLocation] => {
    const { key, versionId } = validated.find('function', fn);
    return [fn.logicalId, { bucket: bucket.name, key, ...(versionId ? { versionId } : {}) }];
  });
  return { layers: new Map(Object.entries(layers)), functions: new Map(functions) };
}

const declaredIn = (template: Template) => Object.keys((template['Parameters'] ?? {}) as object);

/** Values that the parameters will have, as far as they are known. */
function knownParameters(release: Release, stack: Stack | undefined): Record<string, string> {
  const before = (stack?.Parameters ?? []).flatMap(({ ParameterKey, ParameterValue }) =>
    ParameterKey && ParameterValue !== undefined && !isHoldParameter(ParameterKey)
      ? [[ParameterKey, ParameterValue] as const]
      : [],
  );
  return { ...Object.fromEntries(before), ...release.parameters };
}

/** New values where the release sets them, else the stack's own, else the template's defaults. */
function parametersOf(
  release: Release,
  stack: Stack | undefined,
  template: Template,
  holds: Holds,
): Parameter[] {
  const declared = declaredIn(template);
  const kept = (stack?.Parameters ?? []).flatMap(({ ParameterKey }) =>
    ParameterKey &&
    declared.includes(ParameterKey) &&
    !Object.hasOwn(release.parameters, ParameterKey) &&
    !isHoldParameter(ParameterKey)
      ? [{ ParameterKey, UsePreviousValue: true }]
      : [],
  );
  const set = [...Object.entries(release.parameters), ...Object.entries(holds)];
  return [...kept, ...set.map(([ParameterKey, ParameterValue]) => ({ ParameterKey, ParameterValue }))];
}

/** @throws StatefulChangeError where the template has no place any more for a value that nobody could restore */
function refuseDropped(template: Template, { parameters }: Snapshot, { allowDataLoss }: Release): void {
  const declared = declaredIn(template);
  const dropped = parameters.flatMap(({ key }) => (declared.includes(key) ? [] : [key]));
  refuseLostValues(dropped, parameters, allowDataLoss);
}

/** Asks CloudFormation what this release would change; nothing does yet. @throws ArtifactChangedError, ChangeSetFailedError, InvalidInputError, StatefulChangeError */
export async function createChangeSet(
  input: Input,
  { cloudformation, bucket, lock, roleArn, region }: Clients,
): Promise<Output> {
  const { settle } = input;
  const snapshot = await bucket.load(input.snapshot, snapshotSchema);
  await lock.refuseStopped(input.release, input.execution);
  const plan = await bucket.readJson(keys.plan(input.release), buildPlanSchema);
  const { stackName } = input.release;
  const stack = snapshot.existed ? await describeStack(cloudformation, stackName) : undefined;
  const before = await templateBefore(snapshot, bucket, 'expanded');
  const written = await bucket.readJson(keys.template(input.release), templateSchema);
  const assumed = assumedValues(written, before, stack?.Parameters ?? [], input.release);
  const release = { ...input.release, parameters: { ...assumed, ...input.release.parameters } };
  const planned = withSetters(written, before, release);
  refuseDropped(planned, snapshot, release);
  const templates = new ReleaseTemplates(
    bucket,
    region,
    await deploymentOf(input, plan, bucket),
    snapshot.aliases,
    settle,
  );
  const { template, held, holds } = await templates.fill({
    template: planned,
    before,
    parameters: comparable(planned, knownParameters(release, stack)),
    inside: '',
  });
  const templateKey = settle ? keys.deployable(release) : keys.held(release);
  await bucket.write(templateKey, JSON.stringify(template));
  const name = changeSetNames(release)[settle ? 'settle' : 'hold'];
  await createSet(cloudformation, {
    stackName: release.stackName,
    name,
    type: snapshot.existed ? ChangeSetType.UPDATE : ChangeSetType.CREATE,
    bucket: bucket.name,
    templateKey,
    parameters: parametersOf(release, stack, template, holds),
    tags: [
      ...snapshot.tags.filter(({ Key }) => Key !== RELEASE_TAG),
      { Key: RELEASE_TAG, Value: release.id },
    ],
    roleArn,
    region,
  });
  return {
    changeSetName: name,
    held: held.length > 0 ? await bucket.store(keys.report(release, 'held-aliases'), held) : null,
    steps: plan.traffic.steps,
  };
}

export const handler = lambdaHandler('CreateChangeSet', inputSchema, (input) =>
  createChangeSet(input, {
    cloudformation: new CloudFormationClient(),
    bucket: new ArtifactBucket(new S3Client(), setting('ARTIFACT_BUCKET')),
    lock: StackLock.ofPipeline(),
    roleArn: setting('CLOUDFORMATION_ROLE_ARN'),
    region: setting('AWS_REGION'),
  }),
);

import {
  ChangeSetType,
  CloudFormationClient,
  type Parameter,
  type Stack,
} from '@aws-sdk/client-cloudformation';
import { S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { buildPlanSchema } from '../core/release/build-plan.ts';
import { type CodeLocation, deployableTemplate } from '../core/release/deployable.ts';
import { keys, RELEASE_TAG, type Release, releaseSchema } from '../core/release/release.ts';
import { snapshotSchema } from '../core/release/snapshot.ts';
import { ArtifactBucket } from './lib/artifact-bucket.ts';
import { createSet } from './lib/change-set.ts';
import { lambdaHandler, setting } from './lib/handler.ts';
import { describeStack } from './lib/stack.ts';

const inputSchema = z.object({
  release: releaseSchema,
  snapshot: snapshotSchema,
  layers: z.record(z.string(), z.string()),
});
type Input = z.output<typeof inputSchema>;

interface Clients {
  cloudformation: CloudFormationClient;
  bucket: ArtifactBucket;
  /** Role that CloudFormation acts with. */
  roleArn: string;
  region: string;
}

const templateSchema = z.record(z.string(), z.unknown());

/** The project's template with built code and published layers put in, written to the bucket. */
async function writeTemplate(
  { release, layers }: Input,
  bucket: ArtifactBucket,
): Promise<{ key: string; declared: Set<string> }> {
  const plan = await bucket.readJson(keys.plan(release), buildPlanSchema);
  const template = await bucket.readJson(keys.template(release), templateSchema);
  const functions = await Promise.all(
    plan.functions.map(async (fn): Promise<[string, CodeLocation]> => {
      const key = keys.zip('function', fn.name, fn.key);
      const head = await bucket.head(key);
      return [
        fn.logicalId,
        { bucket: bucket.name, key, ...(head?.versionId ? { versionId: head.versionId } : {}) },
      ];
    }),
  );
  const deployable = deployableTemplate(template, {
    layers: new Map(Object.entries(layers)),
    functions: new Map(functions),
    ...(plan.fetch ? { fetchFrom: bucket.name } : {}),
  });
  const key = keys.deployable(release);
  await bucket.write(key, JSON.stringify(deployable));
  return { key, declared: new Set(Object.keys((template['Parameters'] ?? {}) as object)) };
}

/** New values where the release sets them, else the stack's own, else the template's defaults. */
function parametersOf(
  release: Release,
  stack: Stack | undefined,
  declared: ReadonlySet<string>,
): Parameter[] {
  const kept = (stack?.Parameters ?? []).flatMap(({ ParameterKey }) =>
    ParameterKey && declared.has(ParameterKey) && !(ParameterKey in release.parameters)
      ? [{ ParameterKey, UsePreviousValue: true }]
      : [],
  );
  return [
    ...kept,
    ...Object.entries(release.parameters).map(([ParameterKey, ParameterValue]) => ({
      ParameterKey,
      ParameterValue,
    })),
  ];
}

/** Asks CloudFormation what this release would change; nothing does yet. */
export async function createChangeSet(
  input: Input,
  { cloudformation, bucket, roleArn, region }: Clients,
): Promise<{ changeSetName: string }> {
  const { release, snapshot } = input;
  const name = `plimsoll-${release.id}`;
  const { key, declared } = await writeTemplate(input, bucket);
  const stack = snapshot.existed ? await describeStack(cloudformation, release.stackName) : undefined;
  await createSet(cloudformation, {
    stackName: release.stackName,
    name,
    type: snapshot.existed ? ChangeSetType.UPDATE : ChangeSetType.CREATE,
    bucket: bucket.name,
    templateKey: key,
    parameters: parametersOf(release, stack, declared),
    tags: [
      ...snapshot.tags.filter(({ Key }) => Key !== RELEASE_TAG),
      { Key: RELEASE_TAG, Value: release.id },
    ],
    roleArn,
    region,
  });
  return { changeSetName: name };
}

export const handler = lambdaHandler('CreateChangeSet', inputSchema, (input) =>
  createChangeSet(input, {
    cloudformation: new CloudFormationClient(),
    bucket: new ArtifactBucket(new S3Client(), setting('ARTIFACT_BUCKET')),
    roleArn: setting('CLOUDFORMATION_ROLE_ARN'),
    region: setting('AWS_REGION'),
  }),
);

import {
  ChangeSetType,
  CloudFormationClient,
  ContinueUpdateRollbackCommand,
  DeleteStackCommand,
  GetTemplateCommand,
  type Stack,
} from '@aws-sdk/client-cloudformation';
import { CloudWatchClient, DeleteDashboardsCommand } from '@aws-sdk/client-cloudwatch';
import { CloudWatchLogsClient, DeleteRetentionPolicyCommand } from '@aws-sdk/client-cloudwatch-logs';
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { ArtifactChangedError, RollbackFailedError } from '../core/errors.ts';
import { parseTemplate } from '../core/project/yaml.ts';
import { buildPlanSchema } from '../core/release/build-plan.ts';
import { batchesOf, CALLS_AT_ONCE } from '../core/release/limits.ts';
import { alarmNames, dashboardName, RETENTION_DAYS } from '../core/release/observability.ts';
import { keys, RELEASE_TAG, type Release, releaseSchema } from '../core/release/release.ts';
import { isBusy, restoreStep, type Snapshot, snapshotSchema } from '../core/release/snapshot.ts';
import { type Stored, storedSchema } from '../core/release/stored.ts';
import { releaseKey } from '../core/release/table.ts';
import { sha256 } from '../core/sha256.ts';
import { deleteAlarms, isNoDashboard } from './lib/alarms.ts';
import { restoreAliases } from './lib/aliases.ts';
import { ArtifactBucket } from './lib/artifact-bucket.ts';
import { changeSetNames, createSet, dropSets, executeSet } from './lib/change-set.ts';
import { lambdaHandler, setting } from './lib/handler.ts';
import { logGroupOf } from './lib/log-groups.ts';
import { refuseChangedNested } from './lib/nested-templates.ts';
import { PATIENT } from './lib/patience.ts';
import { type Patience, poll } from './lib/poll.ts';
import { sideBySide } from './lib/side-by-side.ts';
import { describeStack, failureReasons, stackNow } from './lib/stack.ts';

const inputSchema = z.object({
  release: releaseSchema,
  /** null where the release failed before it took one, and so changed nothing. @default what lies in the artifact bucket */
  snapshot: storedSchema.nullable().optional(),
});

interface Clients {
  cloudformation: CloudFormationClient;
  cloudwatch: CloudWatchClient;
  lambda: LambdaClient;
  logs: CloudWatchLogsClient;
  bucket: ArtifactBucket;
  dynamodb: DynamoDBClient;
  table: string;
  roleArn: string;
  /** Name of the pipeline's stack. */
  pipeline: string;
  region: string;
}

interface Output {
  /** What was done during the rollback, in order; empty where the stack was as before. */
  steps: string[];
  status: string;
  /** The release that runs again, whose smoke tests must pass now; null where nothing was changed, or nobody knows it. */
  previous: Release | null;
  /** Numbers of the batches in which its functions are proven. */
  batches: number[];
  /** ISO time from which on an error in the logs is one of the restored version. */
  since: string;
}

/** More steps than this lead nowhere. */
const MAX_STEPS = 6;

function stuck(release: Release, status: string, why: string): never {
  throw new RollbackFailedError(
    `stack ${release.stackName} is ${status} and cannot be rolled back automatically: ${why}. Repair it in the CloudFormation console; its template before the release is ${keys.snapshotTemplate(release)} in the artifact bucket.`,
  );
}

const byKey = (pairs: readonly { key: string; value?: string | undefined }[]) =>
  JSON.stringify([...pairs].map(({ key, value }) => [key, value ?? null]).sort());

/** Whether the stack has the template, the parameters and the tags that it had before. */
async function isAsBefore(
  stack: Stack,
  snapshot: Snapshot,
  { cloudformation, bucket }: Clients,
): Promise<boolean> {
  const known = new Set(snapshot.parameters.filter(({ value }) => value !== undefined).map(({ key }) => key));
  const parameters = (stack.Parameters ?? []).map(({ ParameterKey: key = '', ParameterValue: value }) =>
    known.has(key) ? { key, value } : { key },
  );
  const tags = (list: readonly { Key?: string | undefined; Value?: string | undefined }[]) =>
    byKey(list.map(({ Key: key = '', Value: value }) => ({ key, value })));
  if (byKey(parameters) !== byKey(snapshot.parameters) || tags(stack.Tags ?? []) !== tags(snapshot.tags))
    return false;
  const { TemplateBody } = await cloudformation.send(
    new GetTemplateCommand({ StackName: stack.StackName, TemplateStage: 'Original' }),
  );
  return TemplateBody === (await bucket.readText(snapshot.templateKey ?? ''));
}

/** Puts the template, parameters and tags of the snapshot back. @param stack as it is now */
async function redeploy(
  release: Release,
  snapshot: Snapshot,
  stack: Stack | undefined,
  { cloudformation, bucket, roleArn, region }: Clients,
) {
  const set = { stackName: release.stackName, name: changeSetNames(release).restore };
  const text = await bucket.readText(snapshot.templateKey ?? '');
  if (sha256(text) !== snapshot.templateSha256)
    stuck(release, 'changed', `somebody has changed the snapshot of its template, ${snapshot.templateKey}`);
  await refuseChangedNested(bucket, parseTemplate(text, snapshot.templateKey ?? '')).catch(
    (error: unknown) => {
      if (!(error instanceof ArtifactChangedError)) throw error;
      stuck(release, 'changed', error.message);
    },
  );
  const present = new Set((stack?.Parameters ?? []).map(({ ParameterKey }) => ParameterKey));
  const gone = snapshot.parameters.filter(({ key, value }) => value === undefined && !present.has(key));
  if (gone.length > 0)
    stuck(
      release,
      'changed',
      `nobody knows the value any more that its NoEcho parameter ${gone.map(({ key }) => key).join(', ')} had; update the stack with that template and the value`,
    );
  await createSet(cloudformation, {
    ...set,
    type: ChangeSetType.UPDATE,
    bucket: bucket.name,
    templateKey: snapshot.templateKey ?? '',
    parameters: snapshot.parameters.map(({ key, value }) =>
      value === undefined
        ? { ParameterKey: key, UsePreviousValue: true }
        : { ParameterKey: key, ParameterValue: value },
    ),
    tags: snapshot.tags,
    roleArn,
    region,
  });
  await executeSet(cloudformation, set);
}

/** Alarms, the dashboard and limits to logs that were not there before. */
async function dropObservers(release: Release, snapshot: Snapshot, clients: Clients): Promise<void> {
  const { cloudwatch, bucket, logs } = clients;
  const plan = await bucket.readJson(keys.plan(release), buildPlanSchema);
  const names = alarmNames(
    release.stackName,
    plan.functions.map(({ logicalId }) => logicalId),
  ).filter((name) => !snapshot.alarms.includes(name));
  await deleteAlarms(cloudwatch, names);
  await sideBySide(snapshot.functions, CALLS_AT_ONCE, async ({ name, retentionDays }) => {
    const group = retentionDays === undefined ? await logGroupOf(logs, name) : undefined;
    if (group?.retentionInDays === RETENTION_DAYS)
      await logs.send(new DeleteRetentionPolicyCommand({ logGroupName: group.logGroupName }));
  });
  if (snapshot.dashboard) return;
  const dashboard = { DashboardNames: [dashboardName(clients.pipeline, release.stackName)] };
  await cloudwatch.send(new DeleteDashboardsCommand(dashboard)).catch((error: unknown) => {
    if (!isNoDashboard(error)) throw error;
  });
}

/** The release that the snapshot's tag names: what the stack was before, if that had passed its smoke tests. */
async function previousOf(
  release: Release,
  { existed, tags }: Snapshot,
  { dynamodb, table }: Clients,
): Promise<Release | null> {
  const id = tags.find(({ Key }) => Key === RELEASE_TAG)?.Value;
  if (!existed || id === undefined) return null;
  const Key = releaseKey(release.stackName, id);
  const { Item } = await dynamodb.send(new GetItemCommand({ TableName: table, Key }));
  return Item?.['outcome']?.S === 'RELEASED' ? { ...release, id } : null;
}

/** The snapshot of a release that failed; of one that was stopped, null where it had not come that far. */
async function findSnapshot(
  release: Release,
  given: Stored | null | undefined,
  bucket: ArtifactBucket,
): Promise<Snapshot | null> {
  if (given !== undefined) return given && bucket.load(given, snapshotSchema);
  const key = keys.snapshot(release);
  return (await bucket.head(key)) ? bucket.readJson(key, snapshotSchema) : null;
}

/**
 * Brings the stack back to its snapshot, whatever state it is in; started again, it goes on where it was.
 * @throws RollbackFailedError saying what is left; StackBusyError while CloudFormation is at work
 */
export async function restore(
  { release, snapshot: given }: z.output<typeof inputSchema>,
  clients: Clients,
  patience?: Patience,
): Promise<Output> {
  const { cloudformation, roleArn, bucket } = clients;
  const snapshot = await findSnapshot(release, given, bucket);
  const steps: string[] = [];
  // Seconds, and whatever the stack is busy with: the last good version answers before all else.
  if ((await restoreAliases(clients.lambda, snapshot?.aliases ?? [])) > 0) steps.push('aliases');
  // A handler of the release may still run, though its execution was stopped: from here on it can change nothing more.
  const { hold, settle } = changeSetNames(release);
  if (snapshot) await dropSets(cloudformation, release.stackName, [hold, settle]);
  const look = () => describeStack(cloudformation, release.stackName);
  const settled = () =>
    poll(
      `stack ${release.stackName}`,
      async () => {
        const found = await look();
        return isBusy(found?.StackStatus ?? '') ? undefined : { found };
      },
      patience,
    );
  while (steps.length <= MAX_STEPS) {
    const stack = await look();
    const status = stack?.StackStatus ?? 'DELETE_COMPLETE';
    const step = restoreStep(snapshot ?? undefined, stackNow(stack));
    const done =
      step === 'redeploy' && stack && snapshot
        ? await isAsBefore(stack, snapshot, clients)
        : step === 'nothing';
    if (done) {
      if (snapshot) await dropObservers(release, snapshot, clients);
      // Where CloudFormation, or this handler before a retry, has gone back, there is as much to prove.
      const touched = steps.length > 0 || stackNow(stack)?.changedAt !== snapshot?.changedAt;
      const previous = touched && snapshot ? await previousOf(release, snapshot, clients) : null;
      const plan = previous && (await bucket.readJson(keys.plan(previous), buildPlanSchema));
      return {
        steps,
        status,
        previous,
        batches: batchesOf(plan?.functions.length ?? 0),
        since: new Date().toISOString(),
      };
    }
    if (step === 'stuck' || !snapshot) {
      const reasons = await failureReasons(cloudformation, release.stackName, new Date(release.startedAt));
      stuck(release, status, reasons.join('; ') || stack?.StackStatusReason || 'no reason given');
    }
    const again = steps.filter((one) => one === step).length;
    if (step !== 'wait' && again > 1) stuck(release, status, `${step} was tried ${again} times`);
    steps.push(step);
    const id = { StackName: release.stackName };
    if (step === 'delete') await cloudformation.send(new DeleteStackCommand({ ...id, RoleARN: roleArn }));
    if (step === 'continue-rollback') {
      await cloudformation.send(new ContinueUpdateRollbackCommand({ ...id, RoleARN: roleArn }));
    }
    if (step === 'redeploy') await redeploy(release, snapshot, stack, clients);
    await settled();
  }
  return stuck(release, 'unsettled', `no end after ${steps.join(', ')}`);
}

export const handler = lambdaHandler('Restore', inputSchema, (input) =>
  restore(input, {
    cloudformation: new CloudFormationClient(),
    cloudwatch: new CloudWatchClient(PATIENT),
    lambda: new LambdaClient(PATIENT),
    logs: new CloudWatchLogsClient(PATIENT),
    bucket: new ArtifactBucket(new S3Client(), setting('ARTIFACT_BUCKET')),
    dynamodb: new DynamoDBClient(),
    table: setting('RELEASES_TABLE'),
    roleArn: setting('CLOUDFORMATION_ROLE_ARN'),
    pipeline: setting('PIPELINE_STACK'),
    region: setting('AWS_REGION'),
  }),
);

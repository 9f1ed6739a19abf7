import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import {
  ConditionalCheckFailedException,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import { HeadObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import {
  AlreadyStartedError,
  messageOf,
  PrerequisiteError,
  StackBusyError,
  StackLockedError,
} from '../core/errors.ts';
import { decideLock, executionLink, isAlive, type Lock, type LockDecision } from '../core/release/lock.ts';
import { refuseLostValues, shownParameters } from '../core/release/no-echo.ts';
import {
  keys,
  type Release,
  releaseId,
  type Start,
  stackNameOf,
  startSchema,
} from '../core/release/release.ts';
import { isBusy } from '../core/release/snapshot.ts';
import { PROJECT_LIMITS } from '../core/size/limits.ts';
import { ArtifactBucket } from './lib/artifact-bucket.ts';
import { lambdaHandler, setting } from './lib/handler.ts';
import { describeStack } from './lib/stack.ts';
import { StackLock } from './lib/stack-lock.ts';

const inputSchema = z.object({
  start: startSchema,
  execution: z.object({ id: z.string(), name: z.string(), startedAt: z.string() }),
});

interface Clients {
  s3: S3Client;
  cloudformation: CloudFormationClient;
  dynamodb: DynamoDBClient;
  table: string;
  /** Name of the pipeline's own stack. */
  pipeline: string;
  lock: StackLock;
  bucket: ArtifactBucket;
}

/**
 * The version of the upload that is released.
 * @throws PrerequisiteError where it cannot be read; AlreadyStartedError where only the newest is asked for, and it is another one
 */
async function versionOf(
  s3: S3Client,
  { source: { bucket, key, versionId: given }, onlyNewest }: Start,
): Promise<string | undefined> {
  // EventBridge puts an empty text in the place of what an event does not have.
  const versionId = given || undefined;
  const where = `s3://${bucket}/${key}${versionId ? ` (version ${versionId})` : ''}`;
  const head = await s3
    .send(new HeadObjectCommand({ Bucket: bucket, Key: key, VersionId: onlyNewest ? undefined : versionId }))
    .catch((error: unknown) => {
      throw new PrerequisiteError(
        `${where}: cannot be read (${messageOf(error)}); upload the project's zip to the source bucket`,
      );
    });
  if ((head.ContentLength ?? 0) > PROJECT_LIMITS.bytes) {
    throw new PrerequisiteError(
      `${where}: ${head.ContentLength} bytes, at most ${PROJECT_LIMITS.bytes}; leave data and virtual environments out`,
    );
  }
  // EventBridge delivers an event up to 24 hours late, and in no order (its user guide, "How EventBridge retries delivering events").
  if (onlyNewest && versionId !== undefined && head.VersionId !== versionId)
    throw new AlreadyStartedError(
      `${where}: a newer version has been uploaded, which its own event releases`,
    );
  return versionId ?? head.VersionId;
}

const claimKey = (key: string) => ({ pk: { S: `claim#${key}` }, sk: { S: 'claim' } });

const alreadyStarted = (key: string) =>
  new AlreadyStartedError(
    `${key} has been released by another execution; upload the project again, or give another idempotencyKey`,
  );

/** @throws AlreadyStartedError where another execution has run with this object version or key */
async function refuseTwice({ dynamodb, table }: Clients, key: string, executionArn: string): Promise<void> {
  const { Item } = await dynamodb.send(
    new GetItemCommand({ TableName: table, Key: claimKey(key), ConsistentRead: true }),
  );
  if (Item && Item['execution']?.S !== executionArn) throw alreadyStarted(key);
}

/** The same object version, or the same key, never runs twice; a retry of the execution that holds it goes on. */
async function claim({ dynamodb, table }: Clients, key: string, executionArn: string): Promise<void> {
  try {
    await dynamodb.send(
      new PutItemCommand({
        TableName: table,
        Item: { ...claimKey(key), execution: { S: executionArn } },
        ConditionExpression: 'attribute_not_exists(pk) OR execution = :me',
        ExpressionAttributeValues: { ':me': { S: executionArn } },
      }),
    );
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
    throw alreadyStarted(key);
  }
}

/** Why a stack that another execution has locked cannot be released now. */
function explainLock({ owner, release, stuck }: Lock, decision: LockDecision): string {
  const who = `release ${release.id} of stack ${release.stackName} (${executionLink(owner)})`;
  if (decision === 'held')
    return `${who} is running; wait until it is done, or start with "whenLocked": "wait" (plimsoll deploy --when-locked wait)`;
  if (decision === 'stuck')
    return `${who} could not be rolled back: ${stuck}. Repair the stack, then start with "unlock": true (plimsoll deploy --unlock)`;
  return `${who} was stopped before it ended; the state machine Rollback rolls the stack back. If it does not run, start it with {"stackName": "${release.stackName}"}, then start again`;
}

/** Makes this execution the only one that releases the stack. @throws StackLockedError, StackBusyError, AlreadyStartedError */
async function takeLock(mine: Lock, { whenLocked, unlock }: Start, { lock, bucket }: Clients): Promise<void> {
  if (await lock.take(mine)) return;
  const held = await lock.read(mine.release.stackName);
  // It has been freed meanwhile: whoever is first now has it.
  if (!held) throw new StackBusyError(`stack ${mine.release.stackName} was being released until now`);
  if (held.claim === mine.claim && held.stuck === undefined) throw alreadyStarted(mine.claim);
  const { status } = await lock.stateOf(held.owner);
  const hasSnapshot = (await bucket.head(keys.snapshot(held.release))) !== undefined;
  const decision = decideLock(held, status, hasSnapshot);
  const mayTake = decision === 'take-over' || (decision === 'stuck' && unlock);
  if (mayTake && (await lock.take(mine, held.owner))) return;
  const Failure = whenLocked === 'wait' && decision !== 'stuck' ? StackBusyError : StackLockedError;
  throw new Failure(explainLock(held, decision));
}

/** @throws PrerequisiteError where the stack takes no update, StatefulChangeError where values in the input end others for good */
async function refuseUnready(
  cloudformation: CloudFormationClient,
  { stackName, parameters, allowDataLoss }: Release,
): Promise<void> {
  const stack = await describeStack(cloudformation, stackName);
  const status = stack?.StackStatus ?? 'none';
  if (isBusy(status))
    throw new PrerequisiteError(`stack ${stackName} is ${status}; wait until it is done, then start again`);
  if (status.endsWith('_FAILED') || status === 'ROLLBACK_COMPLETE') {
    throw new PrerequisiteError(
      `stack ${stackName} is ${status} and takes no update; repair or delete it in the CloudFormation console, then start again`,
    );
  }
  refuseLostValues(Object.keys(parameters), shownParameters(stack?.Parameters ?? []), allowDataLoss);
}

/** The pipeline's roles keep projects off all that is named like the pipeline itself. @throws PrerequisiteError */
function refuseOwnName(stackName: string, pipeline: string): void {
  if (stackName === pipeline || stackName.startsWith(`${pipeline}-`))
    throw new PrerequisiteError(
      `stack name ${stackName}: "${pipeline}" and what begins with "${pipeline}-" is the pipeline itself, which no project may touch; give another stackName`,
    );
}

/** Checks that a release can start, and makes this execution its owner. */
export async function prerequisites(
  { start, execution }: z.output<typeof inputSchema>,
  clients: Clients,
): Promise<Release> {
  const stackName = stackNameOf(start);
  refuseOwnName(stackName, clients.pipeline);
  const versionId = await versionOf(clients.s3, start);
  const { bucket, key } = start.source;
  const release: Release = {
    id: releaseId(execution.startedAt, execution.name),
    stackName,
    source: { bucket, key, ...(versionId ? { versionId } : {}) },
    parameters: start.parameters,
    rollback: start.rollback,
    allowDataLoss: start.allowDataLoss,
    startedAt: new Date(execution.startedAt).toISOString(),
  };
  const claimed = start.idempotencyKey ?? `s3://${bucket}/${key}?versionId=${versionId ?? 'null'}`;
  await refuseTwice(clients, claimed, execution.id);
  // Going back needs none of the values in the input, and there may be secrets among them.
  const locked = { ...release, parameters: {} };
  await takeLock({ owner: execution.id, release: locked, claim: claimed }, start, clients);
  try {
    // Stopped before it had the lock: nobody else would give it up.
    const { status } = await clients.lock.stateOf(execution.id);
    if (!isAlive(status))
      throw new StackLockedError(`execution ${execution.id} was stopped before its release began`);
    await refuseUnready(clients.cloudformation, release);
    await claim(clients, claimed, execution.id);
  } catch (error) {
    await clients.lock.free(release, execution.id);
    throw error;
  }
  return release;
}

const clients = (): Clients => {
  const dynamodb = new DynamoDBClient();
  const table = setting('RELEASES_TABLE');
  const s3 = new S3Client();
  return {
    s3,
    cloudformation: new CloudFormationClient(),
    dynamodb,
    table,
    pipeline: setting('PIPELINE_STACK'),
    lock: StackLock.ofPipeline(),
    bucket: new ArtifactBucket(s3, setting('ARTIFACT_BUCKET')),
  };
};

export const handler = lambdaHandler('Prerequisites', inputSchema, (input) =>
  prerequisites(input, clients()),
);

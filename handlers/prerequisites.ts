import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { ConditionalCheckFailedException, DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { HeadObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { AlreadyStartedError, InvalidInputError, messageOf, PrerequisiteError } from '../core/errors.ts';
import { type Release, releaseId, type Start, stackNameOfKey, startSchema } from '../core/release/release.ts';
import { isBusy } from '../core/release/snapshot.ts';
import { PROJECT_LIMITS } from '../core/size/limits.ts';
import { lambdaHandler, setting } from './lib/handler.ts';
import { describeStack } from './lib/stack.ts';

const inputSchema = z.object({
  start: startSchema,
  execution: z.object({ id: z.string(), name: z.string(), startedAt: z.string() }),
});

interface Clients {
  s3: S3Client;
  cloudformation: CloudFormationClient;
  dynamodb: DynamoDBClient;
  table: string;
}

function stackNameOf({ stackName, source }: Start): string {
  const name = stackName ?? stackNameOfKey(source.key);
  if (name) return name;
  throw new InvalidInputError(
    `source.key: "${source.key}" names no stack; give stackName, or upload to projects/STACK.zip`,
  );
}

async function versionOf(
  s3: S3Client,
  { bucket, key, versionId }: Start['source'],
): Promise<string | undefined> {
  const where = `s3://${bucket}/${key}${versionId ? ` (version ${versionId})` : ''}`;
  const head = await s3
    .send(new HeadObjectCommand({ Bucket: bucket, Key: key, VersionId: versionId }))
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
  return versionId ?? head.VersionId;
}

/** The same object version, or the same key, never runs twice; a retry of the execution that holds it goes on. */
async function claim({ dynamodb, table }: Clients, key: string, executionArn: string): Promise<void> {
  try {
    await dynamodb.send(
      new PutItemCommand({
        TableName: table,
        Item: { pk: { S: `claim#${key}` }, sk: { S: 'claim' }, execution: { S: executionArn } },
        ConditionExpression: 'attribute_not_exists(pk) OR execution = :me',
        ExpressionAttributeValues: { ':me': { S: executionArn } },
      }),
    );
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
    throw new AlreadyStartedError(
      `${key} has been released by another execution; upload the project again, or give another idempotencyKey`,
    );
  }
}

/** Checks that a release can start, and makes this execution its owner. */
export async function prerequisites(
  { start, execution }: z.output<typeof inputSchema>,
  clients: Clients,
): Promise<Release> {
  const stackName = stackNameOf(start);
  const versionId = await versionOf(clients.s3, start.source);
  const stack = await describeStack(clients.cloudformation, stackName);
  const status = stack?.StackStatus ?? 'none';
  if (isBusy(status))
    throw new PrerequisiteError(`stack ${stackName} is ${status}; wait until it is done, then start again`);
  if (status.endsWith('_FAILED') || status === 'ROLLBACK_COMPLETE') {
    throw new PrerequisiteError(
      `stack ${stackName} is ${status} and takes no update; mend or delete it in the CloudFormation console, then start again`,
    );
  }
  const { bucket, key } = start.source;
  await claim(
    clients,
    start.idempotencyKey ?? `s3://${bucket}/${key}?versionId=${versionId ?? 'null'}`,
    execution.id,
  );
  return {
    id: releaseId(execution.startedAt, execution.name),
    stackName,
    source: { bucket, key, ...(versionId ? { versionId } : {}) },
    parameters: start.parameters,
    rollback: start.rollback,
    startedAt: new Date(execution.startedAt).toISOString(),
  };
}

const clients = () => ({
  s3: new S3Client(),
  cloudformation: new CloudFormationClient(),
  dynamodb: new DynamoDBClient(),
  table: setting('RELEASES_TABLE'),
});

export const handler = lambdaHandler('Prerequisites', inputSchema, (input) =>
  prerequisites(input, clients()),
);

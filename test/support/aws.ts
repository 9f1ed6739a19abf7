import {
  CloudFormationClient,
  DescribeStacksCommand,
  GetTemplateCommand,
  paginateListStackResources,
  type Stack,
} from '@aws-sdk/client-cloudformation';
import { DynamoDBClient, GetItemCommand, PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { DeleteObjectCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import {
  DescribeExecutionCommand,
  GetExecutionHistoryCommand,
  ListExecutionsCommand,
  SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import { inject } from 'vitest';
import { buildPlanSchema } from '../../core/release/build-plan.ts';
import { calledExecution } from '../../core/release/lock.ts';
import { keys } from '../../core/release/release.ts';
import { type StackResource, stagesOf } from '../../core/release/stack-resources.ts';
import { lockKey } from '../../core/release/table.ts';
import { until } from './until.ts';

export { until } from './until.ts';

Object.assign(process.env, inject('environment'), {
  AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
});

export const pipeline = inject('pipeline');
export const endpoint = inject('endpoint');
export const s3 = new S3Client();
export const sfn = new SFNClient();
export const cloudformation = new CloudFormationClient();
export const dynamodb = new DynamoDBClient();
export const lambda = new LambdaClient();

export interface Ended {
  arn: string;
  status: string;
  error: string;
  /** The message in the cause. */
  message: string;
  cause: string;
  output: Record<string, unknown>;
}

export async function upload(
  key: string,
  body: Buffer,
): Promise<{ bucket: string; key: string; versionId: string }> {
  const bucket = pipeline.SourceBucket;
  const { VersionId = '' } = await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }));
  return { bucket, key, versionId: VersionId };
}

export async function start(input: object): Promise<string> {
  const { executionArn = '' } = await sfn.send(
    new StartExecutionCommand({ stateMachineArn: pipeline.DeployMachine, input: JSON.stringify(input) }),
  );
  return executionArn;
}

/** Starts the rollback machine by hand. @returns ARN of the execution */
export async function startRollback(input: object): Promise<string> {
  const { executionArn = '' } = await sfn.send(
    new StartExecutionCommand({ stateMachineArn: pipeline.RollbackMachine, input: JSON.stringify(input) }),
  );
  return executionArn;
}

export async function ended(arn: string): Promise<Ended> {
  const end = await until(`the end of ${arn}`, async () => {
    const found = await sfn.send(new DescribeExecutionCommand({ executionArn: arn }));
    return found.status === 'RUNNING' ? undefined : found;
  });
  const cause = end.cause ?? '';
  let message = cause;
  try {
    message = (JSON.parse(cause) as { errorMessage?: string }).errorMessage ?? cause;
  } catch {
    // Not from a Lambda function: the cause is the message.
  }
  return {
    arn,
    status: end.status ?? '',
    error: end.error ?? '',
    message,
    cause,
    output: JSON.parse(end.output ?? '{}'),
  };
}

/** Uploads a project outside the rule's prefix and releases it. */
export async function release(stackName: string, zip: Buffer, more: object = {}): Promise<Ended> {
  return ended(await start({ source: await upload(`uploads/${stackName}.zip`, zip), stackName, ...more }));
}

export async function executions(): Promise<{ arn: string; status: string }[]> {
  const { executions: list = [] } = await sfn.send(
    new ListExecutionsCommand({ stateMachineArn: pipeline.DeployMachine }),
  );
  return list.map(({ executionArn = '', status = '' }) => ({ arn: executionArn, status }));
}

export async function describeStack(name: string): Promise<Stack | undefined> {
  const answer = await cloudformation
    .send(new DescribeStacksCommand({ StackName: name }))
    .catch(() => undefined);
  return answer?.Stacks?.[0];
}

export async function resourcesOf(name: string): Promise<StackResource[]> {
  const result: StackResource[] = [];
  for await (const page of paginateListStackResources({ client: cloudformation }, { StackName: name })) {
    for (const {
      LogicalResourceId = '',
      PhysicalResourceId = '',
      ResourceType = '',
    } of page.StackResourceSummaries ?? []) {
      result.push({ logicalId: LogicalResourceId, physicalId: PhysicalResourceId, type: ResourceType });
    }
  }
  return result;
}

/** All that a rollback must bring back. */
export async function stateOf(name: string): Promise<object> {
  const stack = await describeStack(name);
  if (!stack) return { exists: false };
  const { TemplateBody } = await cloudformation.send(
    new GetTemplateCommand({ StackName: name, TemplateStage: 'Original' }),
  );
  const resources = await resourcesOf(name);
  // API Gateway's deployments are made anew for each template; what they deploy is compared by the template.
  const kept = resources.filter(({ type }) => type !== 'AWS::ApiGateway::Deployment');
  const nested = kept.filter(({ type }) => type === 'AWS::CloudFormation::Stack');
  return {
    exists: true,
    template: TemplateBody,
    parameters: stack.Parameters,
    tags: stack.Tags,
    resources: kept.sort((a, b) => (a.logicalId < b.logicalId ? -1 : 1)),
    nested: await Promise.all(nested.map(({ physicalId }) => stateOf(physicalId))),
  };
}

/** GET behind the stack's only API. */
export async function get(
  stackName: string,
  pathAndQuery: string,
): Promise<{ status: number; body: unknown }> {
  const [stage] = stagesOf(await resourcesOf(stackName));
  const response = await fetch(`${endpoint}/_aws/execute-api/${stage?.apiId}/${stage?.stage}${pathAndQuery}`);
  const text = await response.text();
  try {
    return { status: response.status, body: JSON.parse(text) };
  } catch {
    return { status: response.status, body: text };
  }
}

export async function readArtifact(key: string): Promise<string> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: pipeline.ArtifactBucket, Key: key }));
  return (await Body?.transformToString()) ?? '';
}

/** Takes what the last good release of a stack was built of out of the artifact bucket, as if it had never been built. */
export async function forgetBuilt(stackName: string, kind: 'layer' | 'function'): Promise<void> {
  const last = (await records(stackName)).findLast(({ outcome }) => outcome === 'RELEASED');
  const id = last?.['sk']?.replace('release#', '') ?? '';
  const plan = buildPlanSchema.parse(JSON.parse(await readArtifact(keys.plan({ stackName, id }))));
  for (const { name, key } of kind === 'layer' ? plan.layers : plan.functions)
    await s3.send(
      new DeleteObjectCommand({ Bucket: pipeline.ArtifactBucket, Key: keys.manifest(kind, name, key) }),
    );
}

async function lockItem(stackName: string) {
  const { Item } = await dynamodb.send(
    new GetItemCommand({ TableName: pipeline.ReleasesTable, Key: lockKey(stackName), ConsistentRead: true }),
  );
  return Item;
}

/** The execution that holds the lock of a stack, or undefined where nobody does. */
export async function lockOwner(stackName: string): Promise<string | undefined> {
  return (await lockItem(stackName))?.['owner']?.S;
}

/** Waits until nobody holds the lock of a stack. */
export const unlocked = (stackName: string): Promise<true> =>
  until(`the lock of ${stackName} to be free`, async () =>
    (await lockOwner(stackName)) === undefined ? true : undefined,
  );

/** Physical name of one of the pipeline's own handlers. */
async function handlerOf(state: string): Promise<string | undefined> {
  const found = (await resourcesOf('Plimsoll')).find(
    ({ type, logicalId }) =>
      type === 'AWS::Lambda::Function' && logicalId.startsWith(`Handlers${state}Function`),
  );
  return found?.physicalId;
}

/** Calls one of the pipeline's own handlers as its state machine would. @returns its answer, or its error */
export async function callHandler(state: string, input: object): Promise<{ failed: boolean; text: string }> {
  const { FunctionError, Payload } = await lambda.send(
    new InvokeCommand({ FunctionName: await handlerOf(state), Payload: JSON.stringify(input) }),
  );
  return { failed: FunctionError !== undefined, text: Payload?.transformToString() ?? '' };
}

/** Id of the release that has locked a stack. */
export async function lockedRelease(stackName: string): Promise<string> {
  const Item = await lockItem(stackName);
  return (JSON.parse(Item?.['release']?.S ?? '{}') as { id?: string }).id ?? '';
}

/** Says in the lock of a stack that it could not be rolled back. */
export async function markStuck(stackName: string, lock: Record<string, string>): Promise<void> {
  const values = Object.entries(lock).map(([name, value]) => [name, { S: value }] as const);
  const Item = { ...lockKey(stackName), ...Object.fromEntries(values) };
  await dynamodb.send(new PutItemCommand({ TableName: pipeline.ReleasesTable, Item }));
}

/** What a state of an execution gave on; {} where it has not ended. */
export async function outputOf(arn: string, state: string): Promise<Record<string, unknown>> {
  const { events = [] } = await sfn.send(
    new GetExecutionHistoryCommand({ executionArn: arn, maxResults: 1000 }),
  );
  const exited = events.find(({ stateExitedEventDetails }) => stateExitedEventDetails?.name === state);
  return JSON.parse(exited?.stateExitedEventDetails?.output ?? '{}') as Record<string, unknown>;
}

/** The message that an execution has sent to the topic. */
export async function publishedBy(arn: string): Promise<string> {
  const { events = [] } = await sfn.send(
    new GetExecutionHistoryCommand({ executionArn: arn, maxResults: 1000 }),
  );
  const published = events.find(
    ({ taskScheduledEventDetails: task }) => task?.resourceType === 'sns' && task.resource === 'publish',
  );
  const { Message = '' } = JSON.parse(published?.taskScheduledEventDetails?.parameters ?? '{}') as {
    Message?: string;
  };
  return Message;
}

/** The execution of the rollback machine that a failed release has called. */
export const wayBackOf = (arn: string): string => calledExecution(pipeline.RollbackMachine, arn);

/** Names of the states that an execution has entered, in that order. */
export async function statesOf(arn: string): Promise<string[]> {
  const { events = [] } = await sfn.send(
    new GetExecutionHistoryCommand({ executionArn: arn, maxResults: 1000 }),
  );
  return events.flatMap(({ stateEnteredEventDetails }) => stateEnteredEventDetails?.name ?? []);
}

/** Waits until an execution enters a state. */
export async function entered(arn: string, state: string): Promise<void> {
  await until(`${state} of ${arn}`, async () => (await statesOf(arn)).includes(state) || undefined);
}

/** The releases of a stack as the table has them, oldest first. */
export async function records(stackName: string): Promise<Record<string, string | undefined>[]> {
  const { Items = [] } = await dynamodb.send(
    new QueryCommand({
      TableName: pipeline.ReleasesTable,
      KeyConditionExpression: 'pk = :pk AND begins_with(sk, :release)',
      ExpressionAttributeValues: { ':pk': { S: `stack#${stackName}` }, ':release': { S: 'release#' } },
    }),
  );
  return Items.map((item) =>
    Object.fromEntries(Object.entries(item).map(([name, value]) => [name, value.S ?? value.N])),
  );
}

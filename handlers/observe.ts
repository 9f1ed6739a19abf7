import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { CloudWatchClient, PutDashboardCommand, PutMetricAlarmCommand } from '@aws-sdk/client-cloudwatch';
import {
  CloudWatchLogsClient,
  CreateLogGroupCommand,
  PutRetentionPolicyCommand,
  ResourceAlreadyExistsException,
} from '@aws-sdk/client-cloudwatch-logs';
import { GetFunctionConfigurationCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { z } from 'zod';
import { CALLS_AT_ONCE, partFrom } from '../core/release/limits.ts';
import {
  type Alarm,
  alarmsOf,
  type DeployedFunction,
  dashboardBody,
  dashboardName,
  mayLimit,
  RETENTION_DAYS,
} from '../core/release/observability.ts';
import { releaseSchema } from '../core/release/release.ts';
import { functionsOf } from '../core/release/stack-resources.ts';
import { lambdaHandler, setting } from './lib/handler.ts';
import { logGroupOf } from './lib/log-groups.ts';
import { PATIENT } from './lib/patience.ts';
import { sideBySide } from './lib/side-by-side.ts';
import { allStackResources } from './lib/stack.ts';
import { StackLock } from './lib/stack-lock.ts';

const inputSchema = z.object({
  release: releaseSchema,
  /** ARN of the execution that releases the stack, or rolls it back. */
  execution: z.string(),
  /** The first of the stack's functions that is not done yet. */
  from: z.int().min(0),
});

interface Output {
  /** Names of those that were set up now. */
  alarms: string[];
  /** The first function of the next call; null after the last one. */
  next: number | null;
}

interface Clients {
  cloudformation: CloudFormationClient;
  lambda: LambdaClient;
  cloudwatch: CloudWatchClient;
  logs: CloudWatchLogsClient;
  lock: StackLock;
  topicArn: string;
  /** Name of the pipeline's stack. */
  pipeline: string;
  region: string;
}

async function putAlarm({ cloudwatch, topicArn }: Clients, alarm: Alarm): Promise<void> {
  await cloudwatch.send(
    new PutMetricAlarmCommand({
      AlarmName: alarm.name,
      AlarmDescription: alarm.description,
      Namespace: 'AWS/Lambda',
      MetricName: alarm.metric,
      Dimensions: [{ Name: 'FunctionName', Value: alarm.functionName }],
      Statistic: alarm.statistic,
      Threshold: alarm.threshold,
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
      Period: alarm.periodSeconds,
      EvaluationPeriods: alarm.evaluationPeriods,
      TreatMissingData: 'notBreaching',
      AlarmActions: [topicArn],
    }),
  );
}

/** Sets a retention where there is none and no log would be gone by it: one that the user chose stays. */
async function limitLogs(logs: CloudWatchLogsClient, functionName: string): Promise<void> {
  const logGroupName = `/aws/lambda/${functionName}`;
  await logs.send(new CreateLogGroupCommand({ logGroupName })).catch((error: unknown) => {
    if (!(error instanceof ResourceAlreadyExistsException)) throw error;
  });
  const group = await logGroupOf(logs, functionName);
  if (!group || !mayLimit(group, Date.now())) return;
  await logs.send(new PutRetentionPolicyCommand({ logGroupName, retentionInDays: RETENTION_DAYS }));
}

async function describe(
  lambda: LambdaClient,
  [logicalId, name]: [string, string],
): Promise<DeployedFunction> {
  const { Timeout = 3 } = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName: name }));
  return { logicalId, name, timeoutMs: Timeout * 1000 };
}

/** CloudWatch takes 3 alarms a second (CloudWatch user guide, "CloudWatch service quotas"). */
const ALARMS_AT_ONCE = 3;

/**
 * Gives a part of the stack's functions their alarms and a limit to their logs, and with the last of them the stack its
 * dashboard. Each call overwrites the last.
 * @throws StackLockedError where the release was stopped meanwhile, and is another execution's to roll back
 */
export async function observe(
  { release, execution, from }: z.output<typeof inputSchema>,
  clients: Clients,
): Promise<Output> {
  await clients.lock.refuseStopped(release, execution);
  const resources = await allStackResources(clients.cloudformation, release.stackName);
  // Sorted, so that each call of a release finds them in the same order.
  const all = [...functionsOf(resources)].sort(([a], [b]) => (a < b ? -1 : 1));
  const { part, next } = partFrom(all, from);
  const functions = await sideBySide(part, CALLS_AT_ONCE, (entry) => describe(clients.lambda, entry));
  const alarms = alarmsOf(release.stackName, functions);
  await sideBySide(alarms, ALARMS_AT_ONCE, (alarm) => putAlarm(clients, alarm));
  await sideBySide(functions, CALLS_AT_ONCE, ({ name }) => limitLogs(clients.logs, name));
  if (next === null)
    await clients.cloudwatch.send(
      new PutDashboardCommand({
        DashboardName: dashboardName(clients.pipeline, release.stackName),
        DashboardBody: dashboardBody(
          release.stackName,
          all.map(([logicalId, name]) => ({ logicalId, name })),
          clients.region,
        ),
      }),
    );
  return { alarms: alarms.map(({ name }) => name), next };
}

export const handler = lambdaHandler('Observe', inputSchema, (input) =>
  observe(input, {
    cloudformation: new CloudFormationClient(PATIENT),
    lambda: new LambdaClient(PATIENT),
    cloudwatch: new CloudWatchClient(PATIENT),
    logs: new CloudWatchLogsClient(PATIENT),
    lock: StackLock.ofPipeline(),
    topicArn: setting('TOPIC_ARN'),
    pipeline: setting('PIPELINE_STACK'),
    region: setting('AWS_REGION'),
  }),
);

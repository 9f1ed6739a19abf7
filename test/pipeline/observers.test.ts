import { CreateStackCommand } from '@aws-sdk/client-cloudformation';
import {
  CloudWatchClient,
  DescribeAlarmsCommand,
  GetDashboardCommand,
  PutMetricAlarmCommand,
} from '@aws-sdk/client-cloudwatch';
import {
  CloudWatchLogsClient,
  DeleteRetentionPolicyCommand,
  DescribeLogGroupsCommand,
} from '@aws-sdk/client-cloudwatch-logs';
import { StopExecutionCommand } from '@aws-sdk/client-sfn';
import { describe, expect, it } from 'vitest';
import { functionsOf } from '../../core/release/stack-resources.ts';
import { isNoDashboard } from '../../handlers/lib/alarms.ts';
import {
  callHandler,
  cloudformation,
  describeStack,
  ended,
  entered,
  get,
  outputOf,
  release,
  resourcesOf,
  sfn,
  start,
  stateOf,
  statesOf,
  unlocked,
  until,
  upload,
  wayBackOf,
} from '../support/aws.ts';
import { aliased, DEPLOYED_BY_OTHERS, projectZip } from '../support/project.ts';

const cloudwatch = new CloudWatchClient();
const logs = new CloudWatchLogsClient();
const RAISES = { 'functions/hello/smoke/you.json': '{"event": {}, "expect": {"statusCode": 418}}\n' };

const BAKES = { 'plimsoll.yaml': 'traffic: { steps: [50], bake: 120 }\n' };

const project = (version: number, timeout: number, more = {}) => {
  const files = aliased(version);
  const template = (files['template.yaml'] ?? '').replace('Timeout: 10', `Timeout: ${timeout}`);
  return projectZip({ ...files, 'template.yaml': template, 'plimsoll.yaml': '', ...more });
};

async function dashboardOf(stack: string): Promise<string | undefined> {
  try {
    const name = { DashboardName: `Plimsoll-${stack}` };
    return (await cloudwatch.send(new GetDashboardCommand(name))).DashboardBody;
  } catch (error) {
    if (isNoDashboard(error)) return undefined;
    throw error;
  }
}

const logGroupOf = async (stack: string) =>
  `/aws/lambda/${functionsOf(await resourcesOf(stack)).get('Hello')}`;

async function retentionOf(stack: string): Promise<number | undefined> {
  const logGroupName = await logGroupOf(stack);
  const { logGroups = [] } = await logs.send(
    new DescribeLogGroupsCommand({ logGroupNamePrefix: logGroupName }),
  );
  expect(logGroups).toHaveLength(1);
  return logGroups[0]?.retentionInDays;
}

/** All that watches a stack: its alarms, its dashboard, and how long its logs are kept. */
async function observersOf(stack: string) {
  const { MetricAlarms = [] } = await cloudwatch.send(
    new DescribeAlarmsCommand({ AlarmNamePrefix: `${stack}-Hello-` }),
  );
  return {
    alarms: MetricAlarms.map(({ AlarmName, Threshold, AlarmDescription, AlarmActions }) => ({
      AlarmName,
      Threshold,
      AlarmDescription,
      AlarmActions,
    })),
    dashboard: await dashboardOf(stack),
    retention: await retentionOf(stack),
  };
}

/** Stops a release that has set all of that up anew, and waits until the stack is rolled back. */
async function stopAfterObserve(stack: string, zip: Buffer, before: object): Promise<void> {
  const arn = await start({ source: await upload(`uploads/${stack}.zip`, zip), stackName: stack });
  // While the traffic is watched there is time to do what Observe does, and to look at it.
  await entered(arn, 'Bake');
  const asked = { release: await outputOf(arn, 'Prerequisites'), execution: arn, from: 0 };
  expect(await callHandler('Observe', asked)).toMatchObject({ failed: false });
  expect(await observersOf(stack)).not.toEqual(before);
  await sfn.send(new StopExecutionCommand({ executionArn: arn }));
  await unlocked(stack);
  // One that goes on though its execution was stopped changes nothing any more.
  expect((await callHandler('Observe', asked)).text).toContain('StackLockedError');
}

describe('alarms, dashboard and log retention', () => {
  it('are as before where a release fails that has set them up for itself', async () => {
    const stack = 'observed';
    const first = await release(stack, await project(1, 10));
    expect(first.status, first.message).toBe('SUCCEEDED');
    const before = await observersOf(stack);
    expect(before).toMatchObject({ retention: 30, dashboard: expect.any(String) });
    expect(before.alarms).toContainEqual(expect.objectContaining({ Threshold: 8000 }));

    await stopAfterObserve(stack, await project(2, 20, BAKES), before);
    expect(await get(stack, '/hello')).toMatchObject({ body: { version: 1 } });
    expect(await observersOf(stack)).toEqual(before);

    // The same on the deploy machine's own rollback, for whatever was changed meanwhile.
    const arn = await start({
      source: await upload(`uploads/${stack}.zip`, await project(3, 10, RAISES)),
      stackName: stack,
    });
    await entered(arn, 'SmokeTestHeld');
    await cloudwatch.send(
      new PutMetricAlarmCommand({
        AlarmName: `${stack}-Hello-duration`,
        Namespace: 'AWS/Lambda',
        MetricName: 'Duration',
        Statistic: 'Maximum',
        Threshold: 16_000,
        ComparisonOperator: 'GreaterThanOrEqualToThreshold',
        Period: 60,
        EvaluationPeriods: 3,
      }),
    );
    const end = await ended(arn);
    expect(end.error, end.message).toBe('SmokeTestFailedError');
    expect(await statesOf(wayBackOf(arn))).toContain('ObserveRestored');
    expect(await observersOf(stack)).toEqual(before);
  });

  it('go with the function that a good release removes, and come back with it', async () => {
    const stack = 'observed-less';
    const extra = `  Extra:
    Type: AWS::Serverless::Function
    Properties: { CodeUri: functions/extra/, Handler: app.handler, Runtime: python3.11 }
`;
    const files = aliased(1);
    const withExtra = {
      'template.yaml': `${files['template.yaml']}${extra}`,
      'functions/extra/app.py': 'def handler(event, context):\n    return 1\n',
    };
    const names = async () => {
      const { MetricAlarms = [] } = await cloudwatch.send(
        new DescribeAlarmsCommand({ AlarmNamePrefix: `${stack}-` }),
      );
      return MetricAlarms.map(({ AlarmName = '' }) => AlarmName.split('-').slice(2).join('-')).sort();
    };
    const both = await release(stack, await projectZip({ ...files, ...withExtra }));
    expect(both.status, both.message).toBe('SUCCEEDED');
    const all = await names();
    expect(all.filter((name) => name.startsWith('Extra-'))).toHaveLength(all.length / 2);
    // A release that fails once the function is gone brings its alarms back with it.
    const failed = await release(stack, await project(2, 10, RAISES));
    expect(failed.error, failed.message).toBe('SmokeTestFailedError');
    expect(await names()).toEqual(all);
    const one = await release(stack, await project(3, 10));
    expect(one.status, one.message).toBe('SUCCEEDED');
    expect(await names()).toEqual(all.filter((name) => name.startsWith('Hello-')));
  });

  it('are gone where a release fails that was the first one of a stack that others have deployed', async () => {
    const stack = 'observed-first';
    await cloudformation.send(
      new CreateStackCommand({
        StackName: stack,
        TemplateBody: DEPLOYED_BY_OTHERS,
        Capabilities: ['CAPABILITY_IAM', 'CAPABILITY_AUTO_EXPAND'],
      }),
    );
    await until(stack, async () =>
      (await describeStack(stack))?.StackStatus === 'CREATE_COMPLETE' ? true : undefined,
    );
    // Its log group comes with its first call.
    expect(await get(stack, '/hello')).toMatchObject({ status: 200 });
    await until('log group', async () => {
      const { logGroups = [] } = await logs.send(
        new DescribeLogGroupsCommand({ logGroupNamePrefix: await logGroupOf(stack) }),
      );
      return logGroups.length > 0 ? true : undefined;
    });
    await logs.send(new DeleteRetentionPolicyCommand({ logGroupName: await logGroupOf(stack) }));
    const before = await observersOf(stack);
    expect(before).toEqual({ alarms: [], dashboard: undefined, retention: undefined });
    const deployed = await stateOf(stack);

    await stopAfterObserve(stack, await project(1, 20, BAKES), before);
    expect(await observersOf(stack)).toEqual(before);
    expect(await stateOf(stack)).toEqual(deployed);
  });
});

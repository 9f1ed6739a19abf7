import { CreateStackCommand } from '@aws-sdk/client-cloudformation';
import { CloudWatchClient, PutMetricAlarmCommand, SetAlarmStateCommand } from '@aws-sdk/client-cloudwatch';
import { GetAliasCommand, ListVersionsByFunctionCommand } from '@aws-sdk/client-lambda';
import { StopExecutionCommand } from '@aws-sdk/client-sfn';
import { beforeAll, describe, expect, it } from 'vitest';
import { functionsOf } from '../../core/release/stack-resources.ts';
import {
  callHandler,
  cloudformation,
  describeStack,
  ended,
  entered,
  get,
  lambda,
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
} from '../support/aws.ts';
import { callWithoutPause } from '../support/client.ts';
import { aliased, BASE, changed, DEPLOYED_BY_OTHERS, type Files, projectZip } from '../support/project.ts';

const STACK = 'aliased';

const project = (version: number, more: Files = {}): Promise<Buffer> =>
  projectZip({ ...aliased(version), ...more });

const functionName = async (stack = STACK) => functionsOf(await resourcesOf(stack)).get('Hello') ?? '';
async function aliasOf(stack: string): Promise<{ version: string; weights: Record<string, number> }> {
  const { FunctionVersion = '', RoutingConfig } = await lambda.send(
    new GetAliasCommand({ FunctionName: await functionName(stack), Name: 'live' }),
  );
  return { version: FunctionVersion, weights: RoutingConfig?.AdditionalVersionWeights ?? {} };
}
const alias = () => aliasOf(STACK);
async function versions(): Promise<string[]> {
  const { Versions = [] } = await lambda.send(
    new ListVersionsByFunctionCommand({ FunctionName: await functionName() }),
  );
  return Versions.flatMap(({ Version }) => (Version && Version !== '$LATEST' ? [Version] : []));
}

/** The version that the stack itself says the alias points at. */
async function versionInStack(): Promise<string[]> {
  const resources = await resourcesOf(STACK);
  return resources.flatMap(({ type, physicalId }) =>
    type === 'AWS::Lambda::Version' ? [physicalId.split(':').at(-1) ?? ''] : [],
  );
}

const holds = async () =>
  (await describeStack(STACK))?.Parameters?.filter(({ ParameterKey }) =>
    ParameterKey?.startsWith('PlimsollHold'),
  ).map(({ ParameterValue }) => ParameterValue);

describe('a function behind an alias', () => {
  beforeAll(async () => {
    const end = await release(STACK, await project(1));
    expect(end.status, end.message).toBe('SUCCEEDED');
    expect(await get(STACK, '/hello')).toMatchObject({ status: 200, body: { version: 1 } });
    expect(await alias()).toEqual({ version: '1', weights: {} });
  });

  it('is proven by number before it takes traffic; a client that never pauses sees no failure', async () => {
    const calls = callWithoutPause(STACK);
    const end = await release(STACK, await project(2));
    const seen = await calls.stop();
    expect(end.status, end.message).toBe('SUCCEEDED');
    expect(Object.keys(seen).sort()).toEqual(['200 1', '200 2']);
    expect(await alias()).toEqual({ version: '2', weights: {} });
    // What the stack says is what runs: no version beside the live one, and nothing held.
    expect(await versionInStack()).toEqual(['2']);
    expect(await holds()).toEqual(['0']);
    expect(await statesOf(end.arn)).toEqual(
      expect.arrayContaining(['SmokeTestHeld', 'ShiftTraffic', 'Settle']),
    );
  });

  it('goes on as it is where nothing of it has changed', async () => {
    const before = await versions();
    const end = await release(STACK, await project(2, { 'README.md': 'not shipped' }));
    expect(end.status, end.message).toBe('SUCCEEDED');
    expect(await versions()).toEqual(before);
    expect(await statesOf(end.arn)).not.toContain('SmokeTestHeld');
  });

  it('gets a new version when a layer alone has changed', async () => {
    const end = await release(STACK, await project(2, { 'layers/utils/requirements.txt': 'six==1.17.0\n' }));
    expect(end.status, end.message).toBe('SUCCEEDED');
    expect(await alias()).toEqual({ version: '3', weights: {} });
  });

  it('never leads traffic to a version that fails its smoke event', async () => {
    const before = await stateOf(STACK);
    const calls = callWithoutPause(STACK);
    const end = await release(
      STACK,
      await project(4, {
        'functions/hello/smoke/you.json': '{"event": {}, "expect": {"statusCode": 201}}\n',
      }),
    );
    const seen = await calls.stop();
    expect(end.error, end.message).toBe('SmokeTestFailedError');
    expect(Object.keys(seen)).toEqual(['200 2']);
    expect(await stateOf(STACK)).toEqual(before);
    expect(await alias()).toEqual({ version: '3', weights: {} });
  });

  it('is proven by a twin, too, where something calls it past its alias: $LATEST changes with the function', async () => {
    const RULE = `Resources:
  Nightly:
    Type: AWS::Events::Rule
    Properties:
      State: DISABLED
      ScheduleExpression: rate(1 day)
      Targets: [{ Id: hello, Arn: !GetAtt Hello.Arn }]
`;
    const end = await release(
      STACK,
      await project(4, {
        'template.yaml': (aliased(4)['template.yaml'] ?? '').replace('Resources:\n', RULE),
        'functions/hello/smoke/you.json': '{"event": {}, "expect": {"statusCode": 201}}\n',
      }),
    );
    expect(end.error, end.message).toBe('SmokeTestFailedError');
    expect(end.message).toMatch(/smoke event you of Hello, on a temporary twin/);
    expect(await statesOf(end.arn)).not.toContain('CreateChangeSet');
  });

  it('is rolled back within seconds when an endpoint fails after the shift', async () => {
    const before = await stateOf(STACK);
    const calls = callWithoutPause(STACK);
    const arn = await start({
      source: await upload(
        `uploads/${STACK}.zip`,
        await project(5, {
          'plimsoll.yaml': 'smoke:\n  endpoints:\n    - get: /hello\n      body: { text: other }\n',
        }),
      ),
      stackName: STACK,
    });
    await until('the new version to answer', async () => calls.seen['200 5']);
    const end = await ended(arn);
    const seen = await calls.stop();
    expect(end.error, end.message).toBe('SmokeTestFailedError');
    expect(Object.keys(seen).sort()).toEqual(['200 2', '200 5']);
    expect(await alias()).toEqual({ version: '3', weights: {} });
    expect(await stateOf(STACK)).toEqual(before);
    expect(await versionInStack()).toEqual(['3']);
  });

  const ALARM = 'orders-missing';

  it('takes traffic step by step, and none any more when an alarm goes off', async () => {
    const preference = changed(
      'template.yaml',
      '      Timeout: 10\n',
      `      Timeout: 10\n      AutoPublishAlias: live\n      DeploymentPreference: { Type: Canary10Percent5Minutes, Alarms: [${ALARM}] }\n`,
    );
    const cloudwatch = new CloudWatchClient();
    await cloudwatch.send(
      new PutMetricAlarmCommand({
        AlarmName: ALARM,
        Namespace: 'Shop',
        MetricName: 'Orders',
        Statistic: 'Sum',
        Period: 60,
        EvaluationPeriods: 1,
        Threshold: 1,
        ComparisonOperator: 'LessThanThreshold',
        TreatMissingData: 'ignore',
      }),
    );
    const before = await stateOf(STACK);
    const calls = callWithoutPause(STACK);
    const arn = await start({
      source: await upload(`uploads/${STACK}.zip`, await project(6, preference)),
      stackName: STACK,
    });
    await until('both versions to answer', async () =>
      (calls.seen['200 6'] ?? 0) > 5 && (calls.seen['200 2'] ?? 0) > 5 ? true : undefined,
    );
    expect(Object.values((await alias()).weights)).toEqual([0.1]);
    await cloudwatch.send(
      new SetAlarmStateCommand({
        AlarmName: ALARM,
        StateValue: 'ALARM',
        StateReason: 'a test says so',
      }),
    );
    const end = await ended(arn);
    const seen = await calls.stop();
    expect(end.error).toBe('AlarmDuringShiftError');
    expect(end.message).toContain(`${ALARM}: a test says so`);
    expect(Object.keys(seen).sort()).toEqual(['200 2', '200 6']);
    expect(await alias()).toEqual({ version: '3', weights: {} });
    expect(await stateOf(STACK)).toEqual(before);
  });

  it('goes over in full when no alarm goes off, though one is red since before', async () => {
    const traffic = `traffic: { steps: [50], bake: 3, alarms: [${ALARM}] }\n`;
    const end = await release(STACK, await project(6, { 'plimsoll.yaml': traffic }));
    expect(end.status, end.message).toBe('SUCCEEDED');
    expect((await alias()).weights).toEqual({});
    expect(await get(STACK, '/hello')).toMatchObject({ body: { version: 6 } });
  });
});

describe('a release with held aliases that a human stops', () => {
  const stack = 'aliased-stopped';

  it.each(['SmokeTestHeld', 'ShiftTraffic'])(
    'in %s is rolled back: alias, stack and answers are as before',
    async (state) => {
      const first = await release(stack, await project(1));
      expect(first.status, first.message).toBe('SUCCEEDED');
      const before = [await stateOf(stack), await aliasOf(stack)];
      const arn = await start({
        source: await upload(`uploads/${stack}.zip`, await project(2)),
        stackName: stack,
      });
      await entered(arn, state);
      await sfn.send(new StopExecutionCommand({ executionArn: arn }));
      await unlocked(stack);
      expect([await stateOf(stack), await aliasOf(stack)]).toEqual(before);
      expect(await get(stack, '/hello')).toMatchObject({ status: 200, body: { version: 1 } });
    },
  );
});

describe('a handler that goes on though its execution was stopped', () => {
  const stack = 'aliased-late';
  const late = async (state: string, input: object) => {
    const { failed, text } = await callHandler(state, input);
    return failed ? (JSON.parse(text) as { errorType?: string }).errorType : 'done';
  };

  it('changes nothing any more once the stack was rolled back', async () => {
    expect((await release(stack, await project(1))).status).toBe('SUCCEEDED');
    const before = [await stateOf(stack), await aliasOf(stack)];
    const arn = await start({
      source: await upload(`uploads/${stack}.zip`, await project(2)),
      stackName: stack,
    });
    await entered(arn, 'SmokeTestHeld');
    const { held, changeSetName } = await outputOf(arn, 'CreateChangeSet');
    const stopped = await outputOf(arn, 'Prerequisites');
    await sfn.send(new StopExecutionCommand({ executionArn: arn }));
    await unlocked(stack);
    expect(await late('ExecuteChangeSet', { release: stopped, execution: arn, changeSetName })).toBe(
      'StackLockedError',
    );
    expect(
      await late('ShiftTraffic', { release: stopped, execution: arn, held, percent: 100, bakeSeconds: 0 }),
    ).toBe('StackLockedError');
    expect([await stateOf(stack), await aliasOf(stack)]).toEqual(before);
  });
});

describe('a template that cannot be held', () => {
  it('is named before anything starts', async () => {
    const template = (BASE['template.yaml'] ?? '')
      .replace(
        'Transform: AWS::Serverless-2016-10-31',
        'Transform: [Shared::Macro, AWS::Serverless-2016-10-31]',
      )
      .replace('      Timeout: 10\n', '      AutoPublishAlias: live\n');
    const end = await release('unheld', await projectZip({ 'template.yaml': template }));
    expect(end.error).toBe('UnsupportedProjectError');
    expect(end.message).toMatch(/Transform .*Shared::Macro.* are expanded here/);
  });

  it('is refused with the words of the SAM transform where that does not take it', async () => {
    const template = (BASE['template.yaml'] ?? '').replace(
      '      Timeout: 10\n',
      '      AutoPublishAlias: live\n      Tracing: Nonsense: 1\n',
    );
    const end = await release(
      'nonsense',
      await projectZip({ 'template.yaml': template.replace('Tracing: Nonsense: 1', 'Nonsense: 1') }),
    );
    expect(end.error).toBe('TemplateError');
    expect(end.message).toMatch(/SAM transform refuses it: .*Nonsense/);
  });
});

describe('a stack that others have deployed', () => {
  const ADOPTED = 'adopted';

  beforeAll(async () => {
    await cloudformation.send(
      new CreateStackCommand({
        StackName: ADOPTED,
        TemplateBody: DEPLOYED_BY_OTHERS,
        Capabilities: ['CAPABILITY_IAM', 'CAPABILITY_AUTO_EXPAND'],
      }),
    );
    await until('the stack', async () =>
      (await describeStack(ADOPTED))?.StackStatus === 'CREATE_COMPLETE' ? true : undefined,
    );
    expect(await get(ADOPTED, '/hello')).toMatchObject({ body: { version: 0 } });
  });

  it('has its alias held from the first release on; when that fails, it is the very version that was live', async () => {
    const before = await stateOf(ADOPTED);
    const calls = callWithoutPause(ADOPTED);
    const end = await release(
      ADOPTED,
      await project(1, {
        'functions/hello/smoke/you.json': '{"event": {}, "expect": {"statusCode": 201}}\n',
      }),
    );
    const seen = await calls.stop();
    expect(end.error, end.message).toBe('SmokeTestFailedError');
    expect(await statesOf(end.arn)).toContain('SmokeTestHeld');
    expect(Object.keys(seen)).toEqual(['200 0']);
    expect(await aliasOf(ADOPTED)).toEqual({ version: '1', weights: {} });
    expect(await stateOf(ADOPTED)).toEqual(before);
  });

  it('is released as its own once the new version is proven', async () => {
    const end = await release(ADOPTED, await project(1));
    expect(end.status, end.message).toBe('SUCCEEDED');
    expect(await get(ADOPTED, '/hello')).toMatchObject({ body: { version: 1 } });
  });
});

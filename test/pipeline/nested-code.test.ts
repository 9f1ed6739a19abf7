import { CloudWatchClient, DescribeAlarmsCommand } from '@aws-sdk/client-cloudwatch';
import { GetAliasCommand, GetFunctionConfigurationCommand, InvokeCommand } from '@aws-sdk/client-lambda';
import { beforeAll, describe, expect, it } from 'vitest';
import { get, lambda, release, resourcesOf, stateOf, statesOf } from '../support/aws.ts';
import { isLong } from '../support/long.ts';
import { BASE, changed, type Files, projectZip } from '../support/project.ts';

const STACK = 'nested-code';

const ORDERS = `Transform: AWS::Serverless-2016-10-31
Parameters:
  Shared: { Type: String }
  Level: { Type: String }
Resources:
  ToolsLayer:
    Type: AWS::Serverless::LayerVersion
    Metadata: { BuildMethod: python3.11 }
    Properties: { ContentUri: tools/ }
  Report:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: report/
      Handler: app.handler
      Runtime: python3.11
      Layers: [!Ref Shared, !Ref ToolsLayer]
      Policies: [AmazonDynamoDBReadOnlyAccess]
  Inner:
    Type: AWS::Serverless::Application
    Properties: { Location: inner/template.yaml, Parameters: { Given: !Ref Shared, Level: !Ref Level } }
`;
const REPORT = `import idna
import six


def handler(event, context):
    return {"version": 1, "domain": six.ensure_str(idna.encode("bücher"))}
`;
const PONG = 'import six\n\n\ndef handler(event, context):\n    return six.ensure_str(b"pong")\n';
const FILES: Files = {
  'template.yaml': `${BASE['template.yaml']}  Orders:
    Type: AWS::Serverless::Application
    Properties:
      Location: services/orders.yaml
      Parameters: { Shared: !Ref UtilsLayer, Level: !Ref Greeting }
`,
  'services/orders.yaml': ORDERS,
  'services/tools/requirements.txt': 'idna==3.10\n',
  'services/report/app.py': REPORT,
  'services/report/smoke/books.json': '{"event": {}, "expect": {"domain": "xn--bcher-kva"}}\n',
  'services/inner/template.yaml': `Transform: AWS::Serverless-2016-10-31
Parameters: { Given: { Type: String }, Level: { Type: String } }
Resources:
  Pong:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: .
      Handler: pong.handler
      Runtime: python3.11
      Layers: [!Ref Given]
      AutoPublishAlias: live
      Environment: { Variables: { LEVEL: !Ref Level } }
`,
  'services/inner/pong.py': PONG,
  'services/inner/smoke/pong.json': '{"event": {}, "expect": "pong"}\n',
};
const project = (changes: Files = {}) => projectZip({ ...FILES, ...changes });
const report = (from: string, to: string): Files => ({
  'services/report/app.py': REPORT.replace(from, to),
});

/** Physical name of a function by its path: `Orders.Report`. */
async function nameOf(path: string): Promise<string> {
  let name = STACK;
  for (const logicalId of path.split('.'))
    name = (await resourcesOf(name)).find((one) => one.logicalId === logicalId)?.physicalId ?? '';
  return name;
}

async function call(path: string, Qualifier?: string): Promise<unknown> {
  const { Payload } = await lambda.send(new InvokeCommand({ FunctionName: await nameOf(path), Qualifier }));
  return JSON.parse(Payload?.transformToString() ?? '');
}

/** Number of the version that the alias of the innermost function leads to. */
async function live(): Promise<string> {
  const { FunctionVersion = '' } = await lambda.send(
    new GetAliasCommand({ FunctionName: await nameOf('Orders.Inner.Pong'), Name: 'live' }),
  );
  return FunctionVersion;
}

async function layersOf(path: string): Promise<string[]> {
  const { Layers = [] } = await lambda.send(
    new GetFunctionConfigurationCommand({ FunctionName: await nameOf(path) }),
  );
  return Layers.map(({ Arn = '' }) => Arn.split(':layer:')[1] ?? '');
}

describe('code in nested stacks', () => {
  beforeAll(async () => {
    const end = await release(STACK, await project());
    expect(end.status, end.message).toBe('SUCCEEDED');
  });

  it('is built with the layers that its template has and is given, at any depth, deployed and watched', async () => {
    expect(await call('Orders.Report')).toEqual({ version: 1, domain: 'xn--bcher-kva' });
    expect(await call('Orders.Inner.Pong', 'live')).toBe('pong');
    expect(await layersOf('Orders.Report')).toEqual([
      `${STACK}-utils:1`,
      expect.stringMatching(`^${STACK}-orders-tools:1$`),
    ]);
    expect(await layersOf('Orders.Inner.Pong')).toEqual([`${STACK}-utils:1`]);
    const { MetricAlarms = [] } = await new CloudWatchClient().send(
      new DescribeAlarmsCommand({ AlarmNamePrefix: `${STACK}-Orders` }),
    );
    expect(MetricAlarms.map(({ AlarmName }) => AlarmName)).toEqual(
      expect.arrayContaining([`${STACK}-Orders.Report-errors`, `${STACK}-Orders.Inner.Pong-errors`]),
    );
  });

  it('is proven by a temporary twin before anything changes', async () => {
    const before = await stateOf(STACK);
    const end = await release(STACK, await project(report('"bücher"', '"books"')));
    expect(end.error, end.message).toBe('SmokeTestFailedError');
    expect(end.message).toMatch(/smoke event books of Orders\.Report, on a temporary twin/);
    expect(await statesOf(end.arn)).not.toContain('CreateChangeSet');
    expect(await stateOf(STACK)).toEqual(before);
  });

  it('is as before when the release that changed it fails', async () => {
    const before = await stateOf(STACK);
    const end = await release(
      STACK,
      await project({
        ...report('"version": 1', '"version": 2'),
        'plimsoll.yaml': (BASE['plimsoll.yaml'] ?? '').replace('hello test', 'other'),
      }),
    );
    expect(end.error, end.message).toBe('SmokeTestFailedError');
    expect(end.message).toMatch(/GET \/hello/);
    expect(await stateOf(STACK)).toEqual(before);
    expect(await call('Orders.Report')).toMatchObject({ version: 1 });
  });

  it('behind an alias is proven by its number while the alias stays, at any depth', async () => {
    const before = await stateOf(STACK);
    const from = await live();
    const end = await release(
      STACK,
      await project({ 'services/inner/pong.py': PONG.replace('b"pong"', 'b"ping"') }),
    );
    expect(end.error, end.message).toBe('SmokeTestFailedError');
    expect(end.message).toMatch(/smoke event pong of Orders\.Inner\.Pong/);
    const states = await statesOf(end.arn);
    expect(states).toContain('SmokeTestHeld');
    expect(states).not.toContain('ShiftTraffic');
    expect(await stateOf(STACK)).toEqual(before);
    expect(await live()).toBe(from);
    expect(await call('Orders.Inner.Pong', 'live')).toBe('pong');
  });

  it('behind an alias takes traffic once it is proven, and stays where nothing of it changes', async () => {
    const from = Number(await live());
    const good = await release(
      STACK,
      await project({ 'services/inner/pong.py': PONG.replace('import six', 'import six  # new') }),
    );
    expect(good.status, good.message).toBe('SUCCEEDED');
    expect(await statesOf(good.arn)).toContain('ShiftTraffic');
    const next = Number(await live());
    expect(next).toBeGreaterThan(from);
    const other = await release(
      STACK,
      await project({
        ...report('"version": 1', '"version": 4'),
        'services/inner/pong.py': PONG.replace('import six', 'import six  # new'),
      }),
    );
    expect(other.status, other.message).toBe('SUCCEEDED');
    expect(await statesOf(other.arn)).not.toContain('ShiftTraffic');
    expect(Number(await live())).toBe(next);
  });

  it.runIf(isLong)(
    'behind an alias gets a new version when a value changes that comes from the outermost template',
    async () => {
      const from = Number(await live());
      const end = await release(STACK, await project(), { parameters: { Greeting: 'loud' } });
      expect(end.error, end.message).toBe('SmokeTestFailedError');
      expect(Number(await live())).toBe(from);
      const good = await release(STACK, await project({ 'plimsoll.yaml': '' }), {
        parameters: { Greeting: 'loud' },
      });
      expect(good.status, good.message).toBe('SUCCEEDED');
      expect(Number(await live())).toBeGreaterThan(from);
      const { Environment } = await lambda.send(
        new GetFunctionConfigurationCommand({
          FunctionName: await nameOf('Orders.Inner.Pong'),
          Qualifier: 'live',
        }),
      );
      expect(Environment?.Variables?.['LEVEL']).toBe('loud');
      const back = await release(STACK, await project(), { parameters: { Greeting: 'hello' } });
      expect(back.status, back.message).toBe('SUCCEEDED');
    },
  );

  it('that does not import ends the release before anything changes', async () => {
    const before = await stateOf(STACK);
    const end = await release(STACK, await project({ 'services/tools/requirements.txt': 'h11==0.14.0\n' }));
    expect(end.status).toBe('FAILED');
    expect(end.message).toMatch(/Orders\.Report.*idna/s);
    expect(await stateOf(STACK)).toEqual(before);
  });

  it('changes, and gets a layer that the outer template gives anew', async () => {
    const [before] = await layersOf('Orders.Report');
    const end = await release(
      STACK,
      await project({
        ...report('"version": 1', '"version": 3'),
        'layers/utils/requirements.txt': 'six==1.17.0\n',
      }),
    );
    expect(end.status, end.message).toBe('SUCCEEDED');
    expect(await call('Orders.Report')).toMatchObject({ version: 3 });
    const [now] = await layersOf('Orders.Report');
    expect(now).toMatch(`${STACK}-utils:`);
    expect(now).not.toBe(before);
    expect(await layersOf('Orders.Inner.Pong')).toEqual([now]);
    expect(await get(STACK, '/hello?name=test')).toMatchObject({ body: { text: 'hello test' } });
  });

  it('whose budget is exceeded is named by its stack', async () => {
    const end = await release(
      STACK,
      await project(
        changed('plimsoll.yaml', 'smoke:', 'budgets: { functions: { Orders.Report: 10 } }\nsmoke:'),
      ),
    );
    expect(end.error, end.message).toBe('BudgetExceededError');
    expect(end.message).toContain('Orders.Report');
  });
});

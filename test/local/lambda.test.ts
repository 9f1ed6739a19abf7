import { setTimeout as sleep } from 'node:timers/promises';
import { CloudWatchClient, GetMetricStatisticsCommand } from '@aws-sdk/client-cloudwatch';
import {
  CreateAliasCommand,
  PublishVersionCommand,
  type Runtime,
  UpdateFunctionCodeCommand,
} from '@aws-sdk/client-lambda';
import { describe, expect, it } from 'vitest';
import { ended, lambda, until } from '../support/aws.ts';
import { createFunction, invoke } from '../support/functions.ts';
import { writeZipWith } from '../support/hostile-zip.ts';
import { createMachine, execute } from '../support/machines.ts';

/** A state that calls a function, and where a Catch of just one name leads. */
const caught = (functionName: string, name: string) => ({
  Call: {
    Type: 'Task',
    Resource: 'arn:aws:states:::lambda:invoke',
    Arguments: { FunctionName: functionName, Payload: {} },
    Catch: [{ ErrorEquals: [name], Output: '{% $states.errorOutput %}', Next: 'Caught' }],
    End: true,
  },
  Caught: { Type: 'Pass', End: true },
});

describe("a function's error reaches the state machine under its own name", () => {
  it.each([
    [
      'python-own',
      'python3.11',
      'class StockError(Exception): pass\ndef handler(event, context): raise StockError("none left")',
      'StockError',
      'none left',
    ],
    ['python-builtin', 'python3.11', 'def handler(event, context): return {}["lost"]', 'KeyError', 'lost'],
    [
      'python-import',
      'python3.11',
      'import nothing_like_this\ndef handler(event, context): pass',
      'Runtime.ImportModuleError',
      'nothing_like_this',
    ],
    [
      'node-own',
      'nodejs24.x',
      'class StockError extends Error { name = "StockError" }\nexport const handler = async () => { throw new StockError("none left"); };',
      'StockError',
      'none left',
    ],
    ['node-builtin', 'nodejs24.x', 'export const handler = async () => null.lost;', 'TypeError', 'null'],
  ] as const)('%s', async (name, runtime, source, error, says) => {
    await createFunction(`error-${name}`, runtime, source);
    const done = await ended(
      await execute(await createMachine(`error-${name}`, 'Call', caught(`error-${name}`, error))),
    );
    expect(done.status, done.message).toBe('SUCCEEDED');
    expect(done.output).toMatchObject({ Error: error, Cause: expect.stringContaining(says) });
    const { failed, answer } = await invoke(`error-${name}`);
    expect(failed).toBe(true);
    expect(answer).toMatchObject({ errorType: error, errorMessage: expect.stringContaining(says) });
  });
});

describe('a Python function', () => {
  const REPORT = `
import importlib.util, os, sys
def handler(event, context):
    found = [name for name in event["modules"] if importlib.util.find_spec(name)]
    return {"version": list(sys.version_info[:2]), "found": found, "secret": os.environ.get("PLIMSOLL_TEST_SECRET")}
`;

  it('runs on the interpreter of its Runtime and sees no packages but its own and those of the runtime', async () => {
    await createFunction('clean-python', 'python3.11', REPORT);
    const { answer } = await invoke('clean-python', {
      modules: ['json', 'ministack', 'boto3', 'yaml', 'dateutil', 'six', 'jmespath', 'pip'],
    });
    expect(answer).toEqual({
      version: [3, 11],
      found: ['json', 'boto3', 'dateutil', 'six', 'jmespath'],
      secret: null,
    });
  });

  it('of a version that this machine does not have fails and says so', async () => {
    await createFunction('no-python', 'python3.99' as Runtime, REPORT);
    const answer = await invoke('no-python', { modules: [] }).catch((error: Error) => ({
      failed: true,
      answer: error.message,
    }));
    expect(answer.failed).toBe(true);
    expect(JSON.stringify(answer.answer)).toContain('3.99');
  });
});

describe('a function that needs more memory than it may have', () => {
  it.each([
    [
      'python3.11',
      'def handler(event, context):\n    return len(bytearray(event["bytes"]))\n',
      'KEPT = bytearray(300_000_000)\ndef handler(event, context):\n    return 1\n',
    ],
    [
      'nodejs24.x',
      'export const handler = async ({ bytes }) => Buffer.alloc(bytes, 1).length;',
      'const kept = Buffer.alloc(300_000_000, 1);\nexport const handler = async () => kept.length;',
    ],
  ] as const)('is killed, and the caller is told so: %s', async (runtime, whileRunning, whileStarting) => {
    const killed = {
      failed: true,
      answer: {
        errorType: 'Runtime.ExitError',
        errorMessage: expect.stringContaining('Runtime exited with error: signal: killed'),
      },
    };
    const name = `hungry-${runtime.slice(0, 4)}`;
    await createFunction(name, runtime, whileRunning, { MemorySize: 256 });
    expect(await invoke(name, { bytes: 400_000_000 })).toMatchObject(killed);
    expect(await invoke(name, { bytes: 50_000_000 })).toEqual({ failed: false, answer: 50_000_000 });
    await createFunction(`${name}-start`, runtime, whileStarting, { MemorySize: 256 });
    expect(await invoke(`${name}-start`)).toMatchObject(killed);
  });
});

describe('an update of a function', () => {
  it('leaves the invocations alone that run already', async () => {
    const source = (answer: string) =>
      `import time\ndef handler(event, context):\n    time.sleep(event["seconds"])\n    return "${answer}"\n`;
    await createFunction('updated', 'python3.11', source('before'));
    expect((await invoke('updated', { seconds: 0 })).answer).toBe('before');
    const running = invoke('updated', { seconds: 3 });
    await sleep(1000);
    const zip = writeZipWith([{ name: 'app.py', text: source('after') }]);
    await lambda.send(new UpdateFunctionCodeCommand({ FunctionName: 'updated', ZipFile: zip }));
    expect((await invoke('updated', { seconds: 0 })).answer).toBe('after');
    expect(await running).toMatchObject({ failed: false, answer: 'before' });
  });
});

describe('a metric in the log', () => {
  it('of the embedded metric format becomes one in CloudWatch', async () => {
    const line = {
      _aws: {
        Timestamp: Date.now(),
        CloudWatchMetrics: [
          { Namespace: 'TestSpace', Dimensions: [['Stack']], Metrics: [{ Name: 'Weight', Unit: 'Bytes' }] },
        ],
      },
      Stack: 's1',
      Weight: 42,
    };
    await createFunction(
      'emf',
      'nodejs24.x',
      `export const handler = async () => { console.log(${JSON.stringify(JSON.stringify(line))}); };`,
    );
    await invoke('emf');
    const statistics = await until(
      'the metric',
      async () => {
        const { Datapoints = [] } = await new CloudWatchClient().send(
          new GetMetricStatisticsCommand({
            Namespace: 'TestSpace',
            MetricName: 'Weight',
            Dimensions: [{ Name: 'Stack', Value: 's1' }],
            StartTime: new Date(Date.now() - 600_000),
            EndTime: new Date(Date.now() + 60_000),
            Period: 60,
            Statistics: ['Sum'],
          }),
        );
        return Datapoints.length > 0 ? Datapoints : undefined;
      },
      10_000,
    );
    expect(statistics).toMatchObject([{ Sum: 42, Unit: 'Bytes' }]);
  });
});

describe('an alias with weights', () => {
  it('leads that share of its invocations to the other version', async () => {
    const source = (version: number) => `def handler(event, context): return ${version}`;
    await createFunction('weighted', 'python3.11', source(1));
    await lambda.send(new PublishVersionCommand({ FunctionName: 'weighted' }));
    await lambda.send(
      new UpdateFunctionCodeCommand({
        FunctionName: 'weighted',
        ZipFile: writeZipWith([{ name: 'app.py', text: source(2) }]),
      }),
    );
    await lambda.send(new PublishVersionCommand({ FunctionName: 'weighted' }));
    const alias = (name: string, weight: number) =>
      lambda.send(
        new CreateAliasCommand({
          FunctionName: 'weighted',
          Name: name,
          FunctionVersion: '1',
          RoutingConfig: { AdditionalVersionWeights: { '2': weight } },
        }),
      );
    await alias('half', 0.5);
    await alias('none', 0);
    const answers = async (name: string) => {
      const list: unknown[] = [];
      for (let i = 0; i < 60; i += 1) list.push((await invoke('weighted', {}, name)).answer);
      return list.filter((answer) => answer === 2).length;
    };
    // 60 draws at one half: outside 10 to 50 once in many millions.
    const half = await answers('half');
    expect(half).toBeGreaterThan(10);
    expect(half).toBeLessThan(50);
    expect(await answers('none')).toBe(0);
    expect((await invoke('weighted', {}, '1')).answer).toBe(1);
  });
});

describe('the address of an API', () => {
  it('is reached from a function on Node as AWS writes it', async () => {
    await createFunction(
      'fetches',
      'nodejs24.x',
      'export const handler = async ({ url }) => { const r = await fetch(url); return { status: r.status, text: await r.text() }; };',
    );
    const { answer } = await invoke('fetches', {
      url: 'https://nosuchapi.execute-api.us-east-1.amazonaws.com/Prod/x',
    });
    const direct = await fetch(`${process.env['AWS_ENDPOINT_URL']}/_aws/execute-api/nosuchapi/Prod/x`);
    expect(answer).toEqual({ status: direct.status, text: await direct.text() });
  });
});

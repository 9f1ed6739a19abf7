import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BuildPlan } from '../../../core/release/build-plan.ts';
import { outdatedFunctionVersions, outdatedVersions } from '../../../core/release/clean-up.ts';
import { deployableTemplate, markedTemplate } from '../../../core/release/deployable.ts';
import { mismatch } from '../../../core/release/expect.ts';
import { calledExecution, decideLock, executionLink, isCalledBy } from '../../../core/release/lock.ts';
import { errorLines, isReport, requestIdIn } from '../../../core/release/log-errors.ts';
import { alarmNames, alarmsOf, dashboardBody } from '../../../core/release/observability.ts';
import { temporaryPrefix } from '../../../core/release/pipeline-name.ts';
import { temporaryName } from '../../../core/release/probe.ts';
import { type HistoryEvent, stateRuns } from '../../../core/release/progress.ts';
import { failureMessage } from '../../../core/release/record.ts';
import { releaseId, stackNameOfKey, startSchema } from '../../../core/release/release.ts';
import { restoreStep, type Snapshot } from '../../../core/release/snapshot.ts';
import { stagesOf, stageUrl } from '../../../core/release/stack-resources.ts';
import { endangered, isOfAttributes, keepsTable } from '../../../core/release/stateful.ts';

describe('what a smoke test expects', () => {
  it('is met by everything that holds at least it', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true }),
        fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true }),
        (expected, more) => {
          expect(mismatch({ ...more, ...expected }, expected)).toBeUndefined();
        },
      ),
    );
  });

  it('is not met by anything else', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, two) => {
        fc.pre(JSON.stringify(one) !== JSON.stringify(two));
        // One of them is not within the other.
        expect(mismatch(one, two) !== undefined || mismatch(two, one) !== undefined).toBe(true);
      }),
    );
  });

  it.each([
    [{ a: { b: [1, 2] } }, { a: { b: [1, 3] } }, 'answer.a.b[1] is 2, expected 3'],
    [[1], [1, 2], 'answer has 1 items, expected 2'],
    [{}, { a: 1 }, 'answer.a is missing, expected 1'],
    ['x', { a: 1 }, 'answer is "x", expected a map'],
    [null, [], 'answer is null, expected a list'],
  ])('%j against %j', (actual, expected, problem) => {
    expect(mismatch(actual, expected)).toBe(problem);
  });
});

describe('the errors in a log', () => {
  it.each([
    ['[ERROR]\t2024-01-01T00:00:00Z\tid\tbad', 1],
    ['2024-01-01 id Task timed out after 3.00 seconds', 1],
    ['{"level": "ERROR", "message": "x"}', 1],
    ['RequestId: x Error: Runtime.ExitError', 1],
    ['[INFO]\tno ERROR here\nERRORS: 0', 0],
    ['START\nEND\nREPORT Duration: 3 ms', 0],
  ])('%j', (log, count) => {
    expect(errorLines(log)).toHaveLength(count);
  });
});

describe('the rollback to a snapshot', () => {
  const nothing = { capabilities: [], aliases: [], functions: [], dashboard: false, alarms: [] };
  const before: Snapshot = {
    existed: true,
    status: 'CREATE_COMPLETE',
    changedAt: 't0',
    templateKey: 'k',
    parameters: [],
    tags: [],
    ...nothing,
  };
  const none: Snapshot = { existed: false, parameters: [], tags: [], ...nothing };
  it.each([
    [undefined, { status: 'UPDATE_COMPLETE', changedAt: 't1' }, 'nothing'],
    [before, { status: 'CREATE_COMPLETE', changedAt: 't0' }, 'nothing'],
    [before, { status: 'UPDATE_COMPLETE', changedAt: 't1' }, 'redeploy'],
    [before, { status: 'UPDATE_IN_PROGRESS', changedAt: 't1' }, 'wait'],
    [before, { status: 'UPDATE_ROLLBACK_COMPLETE', changedAt: 't1' }, 'nothing'],
    [before, { status: 'UPDATE_ROLLBACK_FAILED', changedAt: 't1' }, 'continue-rollback'],
    [before, undefined, 'stuck'],
    [none, undefined, 'nothing'],
    [none, { status: 'REVIEW_IN_PROGRESS', changedAt: 't1' }, 'delete'],
    [none, { status: 'ROLLBACK_COMPLETE', changedAt: 't1' }, 'delete'],
    [none, { status: 'CREATE_COMPLETE', changedAt: 't1' }, 'delete'],
    [none, { status: 'DELETE_IN_PROGRESS', changedAt: 't1' }, 'wait'],
    [none, { status: 'DELETE_FAILED', changedAt: 't1' }, 'stuck'],
  ] as const)('%j from %j: %s', (snapshot, now, step) => {
    expect(restoreStep(snapshot, now)).toBe(step);
  });
});

describe('the template that is deployed', () => {
  const arn = 'arn:aws:lambda:us-east-1:1:layer:s-l:3';
  const built = { layers: ['L'], functions: ['F'] };
  const deployment = {
    layers: new Map([['L', arn]]),
    functions: new Map([['F', { bucket: 'b', key: 'k', versionId: 'v' }]]),
  };
  it('has built code and published layers in it, and nothing else changed', () => {
    const template = {
      Globals: { Function: { Layers: [{ Ref: 'L' }] } },
      Resources: {
        L: { Type: 'AWS::Serverless::LayerVersion' },
        F: {
          Type: 'AWS::Serverless::Function',
          Properties: { CodeUri: 'f/', Layers: [{ 'Fn::Sub': '${L}' }] },
        },
        T: { Type: 'AWS::SNS::Topic', Properties: { DisplayName: { Ref: 'P' } } },
      },
      Outputs: {
        Layer: { Value: { Ref: 'L' } },
        Text: { Value: { 'Fn::Sub': ['${L} ${x}', { x: { Ref: 'L' } }] } },
      },
    };
    expect(deployableTemplate(markedTemplate(template, { inside: '', ...built }), deployment)).toEqual({
      Globals: { Function: { Layers: [arn] } },
      Resources: {
        F: {
          Type: 'AWS::Serverless::Function',
          Properties: { CodeUri: { Bucket: 'b', Key: 'k', Version: 'v' }, Layers: [{ 'Fn::Sub': arn }] },
        },
        T: { Type: 'AWS::SNS::Topic', Properties: { DisplayName: { Ref: 'P' } } },
      },
      Outputs: { Layer: { Value: arn }, Text: { Value: { 'Fn::Sub': [`${arn} \${x}`, { x: arn }] } } },
    });
  });
});

describe('a template whose functions fetch what was removed', () => {
  const built = {
    inside: '',
    layers: [],
    functions: ['F', 'G', 'H', 'I'],
    fetch: { bucket: 'artifacts', functions: ['F', 'G', 'H'] },
  };
  interface Statement {
    Action: string;
    Resource: { 'Fn::Sub': string }[];
  }
  const fn = (Properties: object) => ({ Type: 'AWS::Serverless::Function', Properties });

  it('gives them the name of the bucket, and leave to read that and nothing else', () => {
    const { Resources } = markedTemplate(
      {
        Resources: {
          F: fn({ Environment: { Variables: { A: '1' } }, Policies: 'AmazonDynamoDBReadOnlyAccess' }),
          G: fn({ Policies: [{ S3ReadPolicy: { BucketName: 'x' } }] }),
          H: fn({ Role: 'arn:role' }),
          Other: fn({ CodeUri: 'elsewhere' }),
        },
      },
      built,
    ) as { Resources: Record<string, { Properties: Record<string, unknown> }> };
    const [, added] = (Resources['G']?.Properties['Policies'] ?? []) as { Statement: Statement[] }[];
    const statement = added?.Statement[0];
    expect(statement?.Action).toBe('s3:GetObject');
    expect(statement?.Resource.map((one) => one['Fn::Sub'])).toEqual([
      'arn:${AWS::Partition}:s3:::artifacts/layers/*/removed.zip',
      'arn:${AWS::Partition}:s3:::artifacts/functions/*/removed.zip',
    ]);
    expect(Resources['F']?.Properties).toMatchObject({
      Environment: { Variables: { A: '1', PLIMSOLL_ARTIFACT_BUCKET: 'artifacts' } },
      Policies: ['AmazonDynamoDBReadOnlyAccess', { Statement: expect.any(Array) }],
    });
    expect(Resources['H']?.Properties).not.toHaveProperty('Policies');
    expect(Resources['Other']?.Properties).toEqual({ CodeUri: 'elsewhere' });
  });
});

describe('a table whose attributes are defined anew', () => {
  const table = (...attributes: [string, unknown][]) => ({
    Type: 'AWS::DynamoDB::Table',
    Properties: {
      AttributeDefinitions: attributes.map(([AttributeName, AttributeType]) => ({
        AttributeName,
        AttributeType,
      })),
    },
  });
  const before = table(['id', 'S'], ['day', 'N']);

  it.each<[string, object, boolean]>([
    ['another index', table(['id', 'S'], ['day', 'N'], ['city', 'S']), true],
    ['an index less', table(['id', 'S']), true],
    ['another order', table(['day', 'N'], ['id', 'S']), true],
    ['another type of one', table(['id', 'N'], ['day', 'N']), false],
    ['a type that only the deployment knows', table(['id', { Ref: 'Type' }], ['day', 'N']), false],
  ])('for %s', (_what, after, stays) => {
    expect(keepsTable(before, after)).toBe(stays);
  });

  it.each<[object, boolean]>([
    [{ conditional: ['AttributeDefinitions'] }, true],
    [{ conditional: ['AttributeDefinitions', 'SSESpecification'] }, false],
    [{ conditional: [] }, false],
    [{}, false],
    [{ conditional: ['AttributeDefinitions'], replacement: 'True' }, false],
    [{ conditional: ['AttributeDefinitions'], type: 'AWS::S3::Bucket' }, false],
  ])('is asked where that is all that may replace it: %j', (more, isOf) => {
    const change = {
      logicalId: 'T',
      type: 'AWS::DynamoDB::Table',
      action: 'Modify',
      replacement: 'Conditional',
    };
    expect(isOfAttributes({ ...change, ...more })).toBe(isOf);
  });
});

describe('a change that would end data', () => {
  const table = { logicalId: 'Orders', type: 'AWS::DynamoDB::Table' };
  it.each([
    [{ ...table, action: 'Remove', policyAction: 'Delete' }, 'delete Orders (AWS::DynamoDB::Table)'],
    [{ ...table, action: 'Remove' }, 'delete Orders (AWS::DynamoDB::Table)'],
    [{ ...table, action: 'Remove', policyAction: 'Snapshot' }, 'delete Orders (AWS::DynamoDB::Table)'],
    [
      { ...table, action: 'Modify', replacement: 'True', policyAction: 'ReplaceAndDelete' },
      'replace Orders (AWS::DynamoDB::Table)',
    ],
    [
      { ...table, action: 'Modify', replacement: 'Conditional' },
      'perhaps replace Orders (AWS::DynamoDB::Table)',
    ],
    [{ logicalId: 'Mine', type: 'Custom::Store', action: 'Remove' }, 'delete Mine (Custom::Store)'],
    [
      { logicalId: 'Other', type: 'AWS::Lambda::Function', action: 'Remove' },
      'delete Other (AWS::Lambda::Function)',
    ],
    [{ ...table, action: 'Remove', policyAction: 'Retain' }, undefined],
    [{ ...table, action: 'Modify', replacement: 'True', policyAction: 'ReplaceAndRetain' }, undefined],
    [{ ...table, action: 'Modify', replacement: 'False' }, undefined],
    [{ ...table, action: 'Add' }, undefined],
    [{ logicalId: 'Fn', type: 'AWS::Lambda::Function', action: 'Remove' }, undefined],
    [{ logicalId: 'Allowed', type: 'AWS::S3::Bucket', action: 'Remove' }, undefined],
  ])('%j: %s', (change, says) => {
    const found = endangered([change], ['Custom::Store', 'Other'], ['Allowed']);
    expect(found).toEqual(says === undefined ? [] : [says]);
  });
});

describe('layer versions that no release needs', () => {
  const plan = (key: string) => ({ layers: [{ name: 'core', key }] }) as unknown as Pick<BuildPlan, 'layers'>;
  const version = (number: number, description: string) => ({ version: number, description });

  it('are ours, of that layer, and in no plan that is kept', () => {
    const all = [
      version(1, 'plimsoll a'),
      version(2, 'plimsoll b'),
      version(3, 'by hand'),
      version(4, ''),
      version(5, 'plimsoll c'),
    ];
    expect(outdatedVersions(all, 'core', [plan('b'), plan('c')])).toEqual([1]);
    expect(outdatedVersions(all, 'other', [plan('b')])).toEqual([1, 2, 5]);
    expect(outdatedVersions(all, 'core', [])).toEqual([1, 2, 5]);
  });

  it('of functions: the newest stay, and whatever an alias leads to', () => {
    expect(outdatedFunctionVersions([1, 2, 10, 9, 3], new Set([2]), 2)).toEqual([1, 3]);
    expect(outdatedFunctionVersions([1, 2], new Set(), 5)).toEqual([]);
  });
});

describe('the end of a call in a log', () => {
  const id = '8f5ff0a0-0000-4000-8000-0123456789ab';
  it.each([
    [`START RequestId: ${id}\nhello\nEND RequestId: ${id}\nREPORT RequestId: ${id}\tDuration: 1 ms`, id],
    [`{"time":"t","type":"platform.report","record":{"requestId":"${id}","metrics":{}}}`, id],
    [`START RequestId: ${id}`, undefined],
    ['', undefined],
  ])('%j is of %s', (log, found) => {
    expect(requestIdIn(log)).toBe(found);
    expect(log.split('\n').some(isReport)).toBe(found !== undefined);
  });
});

describe('the lock of a stack', () => {
  const release = {
    id: '20260101t000000000z-00000000',
    stackName: 'shop',
    source: { bucket: 'buc', key: 'k' },
    parameters: {},
    rollback: true,
    allowDataLoss: [],
    startedAt: '2026-01-01T00:00:00.000Z',
  };
  const lock = { owner: 'arn:aws:states:eu-west-1:1:execution:m:e', release, claim: 'c' };

  it.each([
    ['RUNNING', true, 'held'],
    ['RUNNING', false, 'held'],
    ['PENDING_REDRIVE', true, 'held'],
    ['ABORTED', true, 'unfinished'],
    ['TIMED_OUT', true, 'unfinished'],
    ['FAILED', true, 'unfinished'],
    [undefined, true, 'unfinished'],
    ['ABORTED', false, 'take-over'],
    [undefined, false, 'take-over'],
  ])('held by an execution that is %s, with a snapshot: %s, is %s', (status, hasSnapshot, decision) => {
    expect(decideLock(lock, status, hasSnapshot)).toBe(decision);
    expect(decideLock({ ...lock, stuck: 'why' }, status, hasSnapshot)).toBe('stuck');
  });

  it('of a release that wanted no rollback is taken over as it is', () => {
    expect(decideLock({ ...lock, release: { ...release, rollback: false } }, 'ABORTED', true)).toBe(
      'take-over',
    );
  });

  it('leads to its holder', () => {
    expect(executionLink(lock.owner)).toBe(
      'https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/arn:aws:states:eu-west-1:1:execution:m:e',
    );
  });
});

describe('names', () => {
  it.each([
    ['projects/shop.zip', 'shop'],
    ['projects/shop/2024-05.zip', 'shop'],
    ['projects/shop/a/b.zip', undefined],
    ['projects/../x.zip', undefined],
    ['uploads/shop.zip', undefined],
    ['projects/1shop.zip', undefined],
  ])('of the stack of %s', (key, name) => {
    expect(stackNameOfKey(key)).toBe(name);
  });

  it('of a release sort by time and are the same for each retry', () => {
    const id = releaseId('2024-05-06T07:08:09.123Z', 'execution-1');
    expect(id).toMatch(/^20240506t070809123z-[0-9a-f]{8}$/);
    expect(releaseId('2024-05-06T07:08:09.123Z', 'execution-1')).toBe(id);
    expect(releaseId('2024-05-06T07:08:09.124Z', 'a') > id).toBe(true);
    expect(releaseId('2024-05-06T07:08:10Z', 'a') > id).toBe(true);
  });

  it('of probes are names that Lambda takes, and one a function', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (one, two) => {
        fc.pre(one !== two);
        const names = [one, two].map((name) =>
          temporaryName(temporaryPrefix('P'.repeat(24), 'probe'), { id: 'r' }, name),
        );
        for (const name of names) {
          expect(name).toMatch(/^P{24}-probe-[0-9a-f]{24}$/);
          expect(name.length).toBeLessThanOrEqual(64);
        }
        expect(names[0]).not.toBe(names[1]);
      }),
    );
  });
});

describe('the input of an execution', () => {
  it('needs an object, has defaults for the rest, and knows no other key', () => {
    expect(startSchema.parse({ source: { bucket: 'buc', key: 'k' } })).toEqual({
      source: { bucket: 'buc', key: 'k' },
      parameters: {},
      rollback: true,
      onlyNewest: false,
      allowDataLoss: [],
      whenLocked: 'refuse',
      unlock: false,
    });
    expect(startSchema.safeParse({ source: { bucket: 'buc', key: 'k' }, stack: 'x' }).success).toBe(false);
    expect(startSchema.safeParse({}).success).toBe(false);
  });
});

describe('the APIs of a stack', () => {
  it('are found with their stages, REST and HTTP', () => {
    const resources = [
      { logicalId: 'ServerlessRestApi', physicalId: 'abc', type: 'AWS::ApiGateway::RestApi' },
      { logicalId: 'ServerlessRestApiProdStage', physicalId: 'Prod', type: 'AWS::ApiGateway::Stage' },
      { logicalId: 'Shop', physicalId: 'def', type: 'AWS::ApiGatewayV2::Api' },
      { logicalId: 'ShopApiGatewayDefaultStage', physicalId: '$default', type: 'AWS::ApiGatewayV2::Stage' },
    ];
    const stages = stagesOf(resources);
    expect(stages.map((stage) => stageUrl(stage, 'eu-west-1', '/x?y=1'))).toEqual([
      'https://abc.execute-api.eu-west-1.amazonaws.com/Prod/x?y=1',
      'https://def.execute-api.eu-west-1.amazonaws.com/x?y=1',
    ]);
  });
});

describe('alarms and dashboard', () => {
  const functions = [{ logicalId: 'F', name: 's-F-123', timeoutMs: 10_000 }];
  it('watch errors, throttles and runs near the time limit', () => {
    expect(alarmsOf('s', functions).map(({ name, metric, threshold }) => [name, metric, threshold])).toEqual([
      ['s-F-errors', 'Errors', 1],
      ['s-F-throttles', 'Throttles', 1],
      ['s-F-duration', 'Duration', 8000],
    ]);
    expect(alarmNames('s', ['F'])).toEqual(['s-F-errors', 's-F-throttles', 's-F-duration']);
  });
  it('have widgets that do not overlap', () => {
    const many = Array.from({ length: 5 }, (_, n) => ({ logicalId: `F${n}`, name: `f${n}`, timeoutMs: 1 }));
    const { widgets } = JSON.parse(dashboardBody('s', many, 'us-east-1')) as {
      widgets: { x: number; y: number; width: number; height: number }[];
    };
    const cells = widgets.flatMap(({ x, y, width, height }) =>
      Array.from({ length: width * height }, (_, n) => `${x + (n % width)},${y + Math.floor(n / width)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
  });
});

describe('the progress of an execution', () => {
  const entered = (name: string, at: number, data = '{}', kind = 'Task') => ({
    type: `${kind}StateEntered`,
    at,
    name,
    data,
  });
  const exited = (name: string, at: number, data = '{}', kind = 'Task') => ({
    type: `${kind}StateExited`,
    at,
    name,
    data,
  });
  it('tells layers apart, and the one that failed', () => {
    const runs = stateRuns([
      entered('BuildLayer', 1, '{"name":"a"}'),
      entered('BuildLayer', 2, '{"name":"b"}'),
      exited('BuildLayer', 3, '{"name":"b","status":"SUCCEEDED"}'),
      { type: 'TaskFailed', at: 4 },
      exited('BuildLayer', 4, '{"name":"a"}'),
      entered('ExplainLayer', 5, '{"name":"a"}'),
      entered('Rollback?', 6, '{}', 'Choice'),
    ]);
    expect(runs.slice(0, 2)).toMatchObject([
      { item: 'a', status: 'failed', endedAt: 4 },
      { item: 'b', status: 'done', startedAt: 2, endedAt: 3 },
    ]);
  });
  it('does not call a build failed that waits for room in CodeBuild', () => {
    const waiting = [
      entered('Resolve', 1),
      exited('Resolve', 2),
      entered('ExplainResolve', 2),
      exited('ExplainResolve', 3, '{"waitSeconds":15}'),
    ];
    const last = (events: HistoryEvent[]) =>
      stateRuns(events).findLast(({ state }) => state === 'Resolve')?.status;
    expect(last(waiting)).toBe('explaining');
    const entersWait = [...waiting, entered('WaitToResolve', 3, '{"waitSeconds":15}', 'Wait')];
    expect(last(entersWait)).toBe('waiting');
    const again = [...entersWait, exited('WaitToResolve', 18, '{}', 'Wait'), entered('Resolve', 18)];
    expect(last(again)).toBe('running');
    expect(last([...again, entered('ExplainResolve', 19), entered('Rollback?', 20)])).toBe('failed');
  });

  it('tells what failed from what follows', () => {
    const runs = stateRuns([
      entered('SmokeTest', 1),
      exited('SmokeTest', 2, '{"Error":"x"}'),
      entered('Rollback?', 2, '{}', 'Choice'),
      exited('Rollback?', 2, '{}', 'Choice'),
      entered('Rollback', 3),
    ]);
    expect(runs.map(({ state, status }) => [state, status])).toEqual([
      ['SmokeTest', 'failed'],
      ['Rollback?', 'done'],
      ['Rollback', 'running'],
    ]);
  });
});

it('a Map that ended because of one of its iterations has failed, and so has that', () => {
  const event = (type: string, name: string, at: number, data = '{}') => ({ type, name, at, data });
  const runs = stateRuns([
    event('MapStateEntered', 'ProbeImports', 1),
    event('TaskStateEntered', 'ProbeBatch', 2, '0'),
    event('TaskStateEntered', 'ProbeBatch', 2, '1'),
    event('TaskStateExited', 'ProbeBatch', 3, '{"key":"a"}'),
    event('MapStateExited', 'ProbeImports', 4),
    event('ChoiceStateEntered', 'Rollback?', 4),
  ]);
  expect(runs.find(({ state }) => state === 'ProbeImports')).toMatchObject({ status: 'failed', endedAt: 4 });
  expect(runs.filter(({ status }) => status === 'running')).toMatchObject([{ state: 'Rollback?' }]);
});

describe('the execution of the rollback machine that a release calls', () => {
  const machine = 'arn:aws:states:eu-west-1:1:stateMachine:Plimsoll-rollback';
  const release = 'arn:aws:states:eu-west-1:1:execution:Plimsoll-deploy:abc';
  it('has its name, and so is known before it begins', () => {
    const called = calledExecution(machine, release);
    expect(called).toBe('arn:aws:states:eu-west-1:1:execution:Plimsoll-rollback:abc');
    expect(isCalledBy(called, release)).toBe(true);
  });
  it('is no other one, and not itself', () => {
    expect(isCalledBy(calledExecution(machine, `${release}d`), release)).toBe(false);
    expect(isCalledBy(release, release)).toBe(false);
  });
});

describe('a failure', () => {
  it.each([
    [{ Error: 'E', Cause: '{"errorMessage": "why", "trace": []}' }, 'why'],
    [{ Error: 'E', Cause: 'plain' }, 'plain'],
    [{ Error: 'E', Cause: '{"Build": {}}' }, '{"Build": {}}'],
  ])('%j', (failure, message) => {
    expect(failureMessage(failure)).toBe(message);
  });
});

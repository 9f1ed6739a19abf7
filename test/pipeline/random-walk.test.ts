import { setTimeout as sleep } from 'node:timers/promises';
import {
  GetAliasCommand,
  GetFunctionConfigurationCommand,
  GetLayerVersionByArnCommand,
} from '@aws-sdk/client-lambda';
import { DescribeExecutionCommand, paginateListExecutions, StopExecutionCommand } from '@aws-sdk/client-sfn';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { functionsOf } from '../../core/release/stack-resources.ts';
import {
  describeStack,
  ended,
  get,
  lambda,
  lockOwner,
  pipeline,
  records,
  resourcesOf,
  sfn,
  start,
  startRollback,
  until,
  upload,
} from '../support/aws.ts';
import { isLong } from '../support/long.ts';
import { aliased, BASE, type Files, projectZip } from '../support/project.ts';

/**
 * Random sequences of good releases, failing ones, ones that a human stops at any moment, starts at once and rollbacks, on
 * several stacks side by side. After each step the stack must be at rest, free, and answer as its last good release.
 * PLIMSOLL_WALK_SEED=n repeats a walk; `npm run test:long` makes it longer.
 */
const SEED = Number(process.env['PLIMSOLL_WALK_SEED'] ?? Date.now() % 1_000_000);
const STEPS = isLong ? 208 : 40;
const STACKS = [
  { name: 'walk-alias-1', alias: true },
  { name: 'walk-alias-2', alias: true },
  { name: 'walk-plain-1', alias: false },
  { name: 'walk-plain-2', alias: false },
];

type Source = Awaited<ReturnType<typeof upload>>;
/** The projects that a walk releases: good ones by the version that they answer, and broken ones by what breaks. */
const GOOD = [1, 2, 3] as const;
const BROKEN = ['smoke', 'endpoint', 'cloudformation', 'import'] as const;

type Step =
  | { do: 'release'; version: number }
  | { do: 'break'; how: (typeof BROKEN)[number] }
  | { do: 'stop'; version: number; afterMs: number }
  | { do: 'twice'; version: number; other: number }
  | { do: 'roll back' };

const version = fc.constantFrom(...GOOD);
const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('release' as const), version }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('break' as const), how: fc.constantFrom(...BROKEN) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('stop' as const),
      version,
      afterMs: fc.integer({ min: 0, max: 6000 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('twice' as const), version, other: version }) },
  { weight: 1, arbitrary: fc.constant({ do: 'roll back' as const }) },
);

const WAIT_FOREVER = `  Handle:
    Type: AWS::CloudFormation::WaitConditionHandle
  Wait:
    Type: AWS::CloudFormation::WaitCondition
    DependsOn: Hello
    Properties: { Handle: !Ref Handle, Timeout: '1' }
`;

function project(
  alias: boolean,
  answer: number,
  more: (template: string) => Files = () => ({}),
): Promise<Buffer> {
  const files = aliased(answer);
  const template = (alias ? files : BASE)['template.yaml'] ?? '';
  return projectZip({
    ...files,
    // Each has a layer of its own, so that what is cleaned up may be needed again.
    'layers/utils/requirements.txt': `six==1.${14 + (answer % 4)}.0\n`,
    'plimsoll.yaml': 'optimise: { mode: rules }\nkeepReleases: 2\n',
    'template.yaml': template,
    ...more(template),
  });
}

const broken = (alias: boolean): Record<(typeof BROKEN)[number], () => Promise<Buffer>> => ({
  smoke: () =>
    project(alias, 91, () => ({
      'functions/hello/smoke/you.json': '{"event": {}, "expect": {"statusCode": 500}}\n',
    })),
  endpoint: () =>
    project(alias, 92, () => ({
      'plimsoll.yaml':
        'optimise: { mode: rules }\nsmoke: { endpoints: [{ get: /hello, body: { text: other } }] }\n',
    })),
  cloudformation: () => project(alias, 93, (template) => ({ 'template.yaml': `${template}${WAIT_FOREVER}` })),
  import: () =>
    project(alias, 94, () => ({
      'functions/hello/app.py': 'import not_there\n\n\ndef handler(event, context):\n    pass\n',
    })),
});

/** Executions of the rollback machine that have been looked at, each with the stopped one that the rule has started it for. */
const waysBack = new Map<string, string | undefined>();

/** The execution that the rule has started for one that was stopped, once it has. */
async function startedByRule(stopped: string): Promise<string | undefined> {
  const stateMachineArn = pipeline.RollbackMachine;
  for await (const { executions = [] } of paginateListExecutions({ client: sfn }, { stateMachineArn }))
    for (const { executionArn = '' } of executions.filter(
      ({ executionArn: arn = '' }) => !waysBack.has(arn),
    )) {
      const { input = '{}' } = await sfn.send(new DescribeExecutionCommand({ executionArn }));
      const started = JSON.parse(input) as { executionArn?: string; failure?: object };
      waysBack.set(executionArn, started.failure ? undefined : started.executionArn);
    }
  return [...waysBack].find(([, started]) => started === stopped)?.[0];
}

class Walk {
  private readonly good = new Map<number, Source>();
  private readonly bad = new Map<string, Source>();
  private count = 0;
  /** How often each step ended how. */
  readonly seen: Record<string, number> = {};

  constructor(
    private readonly stack: string,
    private readonly alias: boolean,
  ) {}

  async prepare(): Promise<void> {
    for (const answer of GOOD)
      this.good.set(
        answer,
        await upload(`uploads/${this.stack}-${answer}.zip`, await project(this.alias, answer)),
      );
    for (const [how, zip] of Object.entries(broken(this.alias)))
      this.bad.set(how, await upload(`uploads/${this.stack}-${how}.zip`, await zip()));
  }

  private begin(source: Source | undefined): Promise<string> {
    this.count += 1;
    return start({ source, stackName: this.stack, idempotencyKey: `${this.stack}-${this.count}` });
  }

  async take(step: Step): Promise<void> {
    if (step.do === 'release') await this.succeeds(await this.begin(this.good.get(step.version)));
    if (step.do === 'break') {
      const end = await ended(await this.begin(this.bad.get(step.how)));
      expect(end.status).toBe('FAILED');
      expect(end.error).toMatch(/^(SmokeTestFailedError|StackUpdateFailedError|ImportCheckError)$/);
      this.note(step, end.error);
    }
    if (step.do === 'stop') {
      const arn = await this.begin(this.good.get(step.version));
      await sleep(step.afterMs);
      await sfn.send(new StopExecutionCommand({ executionArn: arn })).catch(() => undefined);
      const { status } = await ended(arn);
      // Its Prerequisites may take the lock after the stop: a lock that is free says nothing before the rule has come.
      if (status === 'ABORTED') await ended(await until(`the rollback of ${arn}`, () => startedByRule(arn)));
      this.note(step, status);
    }
    if (step.do === 'twice') {
      const arns = await Promise.all([step.version, step.other].map((one) => this.begin(this.good.get(one))));
      const ends = await Promise.all(arns.map(ended));
      const refused = ends.filter(({ error }) => error === 'StackLockedError').length;
      expect(ends.filter(({ status }) => status === 'SUCCEEDED').length + refused).toBe(2);
      expect(refused).toBeLessThan(2);
      this.note(step, `${refused} refused`);
    }
    if (step.do === 'roll back') {
      const end = await ended(await startRollback({ stackName: this.stack }));
      expect(end.status, end.message).toBe('SUCCEEDED');
      this.note(step, 'SUCCEEDED');
    }
  }

  private async succeeds(arn: string): Promise<void> {
    const end = await ended(arn);
    expect(end.status, end.message).toBe('SUCCEEDED');
    this.note({ do: 'release' }, 'SUCCEEDED');
  }

  private note(step: { do: string; how?: string }, end: string): void {
    const what = [step.do, step.how, end].filter(Boolean).join(' ');
    this.seen[what] = (this.seen[what] ?? 0) + 1;
  }

  /** What must hold between two steps, whatever they were. */
  async check(): Promise<void> {
    const owner = await until(`${this.stack} to be free`, async () => {
      const holder = await lockOwner(this.stack);
      if (holder === undefined) return 'nobody';
      const alive = await sfn.send(new DescribeExecutionCommand({ executionArn: holder }));
      // The rule that rolls a stopped release back has not come yet, or is at work.
      if (alive.status !== 'SUCCEEDED' && alive.status !== 'FAILED') return undefined;
      // It may have ended, and let go, since it was read.
      return (await lockOwner(this.stack)) === holder ? holder : undefined;
    });
    expect(owner).toBe('nobody');
    const list = await records(this.stack);
    expect(list.filter(({ outcome }) => outcome === 'ROLLBACK_FAILED')).toEqual([]);
    const last = list.findLast(({ outcome }) => outcome === 'RELEASED');
    const stack = await describeStack(this.stack);
    if (!last) {
      expect(stack?.StackStatus ?? 'DELETE_COMPLETE').toBe('DELETE_COMPLETE');
      return;
    }
    expect(stack?.StackStatus).toMatch(/^(CREATE|UPDATE|UPDATE_ROLLBACK)_COMPLETE$/);
    for (const { ParameterKey, ParameterValue } of stack?.Parameters ?? [])
      if (ParameterKey?.startsWith('PlimsollHold')) expect(ParameterValue).toMatch(/^0(,0)*$/);
    const { versionId } = JSON.parse(last['source'] ?? '{}') as { versionId?: string };
    const expected = [...this.good].find(([, source]) => source.versionId === versionId)?.[0];
    expect(await get(this.stack, '/hello')).toMatchObject({ status: 200, body: { version: expected } });
    await this.checkFunction(expected);
  }

  /** What production calls is code of a good release, and all that it needs is there. */
  private async checkFunction(expected: number | undefined): Promise<void> {
    const resources = await resourcesOf(this.stack);
    const FunctionName = functionsOf(resources).get('Hello');
    const Qualifier = this.alias ? 'live' : undefined;
    const { Layers = [] } = await lambda.send(
      new GetFunctionConfigurationCommand({ FunctionName, Qualifier }),
    );
    for (const { Arn } of Layers) await lambda.send(new GetLayerVersionByArnCommand({ Arn }));
    expect(Layers, `layers of version ${expected}`).toHaveLength(1);
    if (!this.alias) return;
    const live = await lambda.send(new GetAliasCommand({ FunctionName, Name: 'live' }));
    expect(Object.keys(live.RoutingConfig?.AdditionalVersionWeights ?? {})).toEqual([]);
    const inStack = resources.filter(({ type }) => type === 'AWS::Lambda::Version');
    expect(inStack.map(({ physicalId }) => physicalId.split(':').at(-1))).toEqual([live.FunctionVersion]);
  }
}

describe(`a walk of ${STEPS} steps, seed ${SEED}`, () => {
  const walks = STACKS.map(({ name, alias }) => ({ name, walk: new Walk(name, alias) }));
  beforeAll(async () => {
    for (const { walk } of walks) await walk.prepare();
  });

  it('leaves each stack at rest after each step: free, and answering as its last good release', async () => {
    const each = Math.ceil(STEPS / walks.length);
    const results = await Promise.allSettled(
      walks.map(async ({ name, walk }, index) => {
        const steps = fc.sample(stepArbitrary, { seed: SEED + index, numRuns: each });
        for (const [position, step] of steps.entries()) {
          try {
            await walk.take(step);
            await walk.check();
          } catch (error) {
            throw new Error(`${name}, seed ${SEED}, step ${position}: ${JSON.stringify(step)}`, {
              cause: error,
            });
          }
        }
        return { name, steps: steps.length, seen: walk.seen };
      }),
    );
    for (const result of results)
      if (result.status === 'fulfilled') console.log(JSON.stringify(result.value));
    expect(results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))).toEqual([]);
  }, 1_200_000);
});

import {
  BatchGetBuildsCommand,
  CodeBuildClient,
  ListProjectsCommand,
  StartBuildCommand,
  StopBuildCommand,
} from '@aws-sdk/client-codebuild';
import { DescribeExecutionCommand, ListExecutionsCommand, StopExecutionCommand } from '@aws-sdk/client-sfn';
import { describe, expect, it } from 'vitest';
import {
  callHandler,
  ended,
  entered,
  executions,
  get,
  lockedRelease,
  lockOwner,
  markStuck,
  pipeline,
  records,
  release,
  sfn,
  start,
  startRollback,
  stateOf,
  unlocked,
  until,
  upload,
  wayBackOf,
} from '../support/aws.ts';
import { isLong } from '../support/long.ts';
import { changed, projectZip } from '../support/project.ts';

const stop = (arn: string) => sfn.send(new StopExecutionCommand({ executionArn: arn }));
const outcomes = async (stack: string) => (await records(stack)).map(({ outcome }) => outcome);
const codebuild = new CodeBuildClient();

/** A build that is started for a release and goes on. @returns its id */
async function leaveBuild(id: string, stackName: string): Promise<string> {
  const { projects = [] } = await codebuild.send(new ListProjectsCommand({}));
  const { build } = await codebuild.send(
    new StartBuildCommand({
      projectName: projects.find((name) => name.includes('BuildsLayer')),
      buildspecOverride: 'version: 0.2\nphases: { build: { commands: [sleep 600] } }',
      environmentVariablesOverride: [{ name: 'RELEASE', value: JSON.stringify({ id, stackName }) }],
    }),
  );
  return build?.id ?? '';
}

const statusOfBuild = async (id: string) =>
  (await codebuild.send(new BatchGetBuildsCommand({ ids: [id] }))).builds?.[0]?.buildStatus;

/** Starts a release of the base project, changed or not, without waiting for it. */
async function begin(stackName: string, zip: Buffer, more: object = {}): Promise<string> {
  return start({ source: await upload(`uploads/${stackName}.zip`, zip), stackName, ...more });
}

/** Releases the base project. @returns the state of its stack */
async function released(stack: string): Promise<object> {
  const first = await release(stack, await projectZip());
  expect(first.status, first.message).toBe('SUCCEEDED');
  return stateOf(stack);
}

/** What an execution was started with. */
async function begunWith(executionArn: string): Promise<{ source: object }> {
  const { input = '{}' } = await sfn.send(new DescribeExecutionCommand({ executionArn }));
  return JSON.parse(input) as { source: object };
}

describe('one release at a time', () => {
  it('of ten starts at once one runs; the others are refused with its link, and change nothing', async () => {
    const zip = await projectZip();
    const source = await upload('uploads/ten.zip', zip);
    const arns = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        start({ source, stackName: 'ten', idempotencyKey: `ten-${index}` }),
      ),
    );
    const ends = await Promise.all(arns.map(ended));
    const winners = ends.filter(({ status }) => status === 'SUCCEEDED');
    expect(winners).toHaveLength(1);
    const refused = ends.filter(({ error }) => error === 'StackLockedError');
    expect(refused).toHaveLength(9);
    for (const { message } of refused) expect(message).toContain(`executions/details/${winners[0]?.arn}`);
    expect(await outcomes('ten')).toEqual(['RELEASED']);
    expect(await lockOwner('ten')).toBeUndefined();
  });

  it('a second one waits, where its input says so', async () => {
    const first = await begin('waits', await projectZip());
    await entered(first, 'Resolve');
    const second = await begin(
      'waits',
      await projectZip(changed('functions/hello/app.py', '"version": 1', '"version": 2')),
      {
        whenLocked: 'wait',
      },
    );
    const ends = await Promise.all([first, second].map(ended));
    expect(ends.map(({ status, message }) => [status, message])).toEqual([
      ['SUCCEEDED', ''],
      ['SUCCEEDED', ''],
    ]);
    expect(await get('waits', '/hello')).toMatchObject({ body: { version: 2 } });
  });

  it('a stack that could not be rolled back is not touched until a human has said that it is repaired', async () => {
    await markStuck('stuck', {
      owner: `${pipeline.DeployMachine.replace(':stateMachine:', ':execution:')}:gone`,
      releaseId: '20260101t000000000z-00000000',
      release: JSON.stringify({
        id: '20260101t000000000z-00000000',
        stackName: 'stuck',
        source: { bucket: 'buc', key: 'k' },
        parameters: {},
        rollback: true,
        startedAt: '2026-01-01T00:00:00.000Z',
      }),
      claim: 'other',
      stuck: 'resource Table could not be deleted',
    });
    const refused = await release('stuck', await projectZip());
    expect(refused.error).toBe('StackLockedError');
    expect(refused.message).toMatch(
      /could not be rolled back: resource Table could not be deleted.*"unlock": true/,
    );
    const repaired = await release('stuck', await projectZip(), { unlock: true });
    expect(repaired.status, repaired.message).toBe('SUCCEEDED');
    expect(await lockOwner('stuck')).toBeUndefined();
  });
});

describe('a release that a human stops', () => {
  it('before it has changed anything leaves nothing, and the next one begins', async () => {
    const arn = await begin('stopped', await projectZip());
    await entered(arn, 'Resolve');
    const [mine, other] = await Promise.all([
      leaveBuild(await lockedRelease('stopped'), 'stopped'),
      leaveBuild('20260101t000000000z-00000000', 'stopped'),
    ]);
    await stop(arn);
    await unlocked('stopped');
    expect(await stateOf('stopped')).toEqual({ exists: false });
    // A build of the release that Step Functions knows nothing of is stopped, one of another release is not.
    expect(await statusOfBuild(mine)).toBe('STOPPED');
    expect(await statusOfBuild(other)).toBe('IN_PROGRESS');
    await codebuild.send(new StopBuildCommand({ id: other }));
    expect(await outcomes('stopped')).toEqual(['ROLLED_BACK']);
    const next = await release('stopped', await projectZip());
    expect(next.status, next.message).toBe('SUCCEEDED');
  });

  const OFTEN = ['Plan', 'DeployLayers', 'ExecuteChangeSet', 'SmokeTest'];
  const SELDOM = [
    'ValidateSizes',
    'Snapshot',
    'ProbeImports',
    'SmokeTestTwins',
    'CreateChangeSet',
    'AwaitStack',
  ];

  it.each(isLong ? [...OFTEN, ...SELDOM] : OFTEN)(
    'in %s is rolled back: the stack is as before, and answers as before',
    async (state) => {
      const stack = `stopped-in-${state}`;
      const before = await released(stack);
      const arn = await begin(
        stack,
        await projectZip(changed('functions/hello/app.py', '"version": 1', '"version": 2')),
        {
          parameters: { Greeting: 'hello' },
        },
      );
      await entered(arn, state);
      await stop(arn);
      await unlocked(stack);
      expect(await stateOf(stack)).toEqual(before);
      expect(await get(stack, '/hello')).toMatchObject({ body: { version: 1 } });
      expect(await outcomes(stack)).toEqual(['RELEASED', 'ROLLED_BACK']);
    },
  );

  /** Fails once it is live. */
  const failing = () =>
    projectZip({
      ...changed('functions/hello/app.py', '"version": 1', '"version": 2'),
      'plimsoll.yaml':
        'optimise: { mode: rules }\nsmoke: { endpoints: [{ get: /hello, body: { version: 9 } }] }\n',
    });

  it('during its rollback is rolled back all the same, once', async () => {
    const stack = 'stopped-in-Rollback';
    const before = await released(stack);
    const arn = await begin(stack, await failing());
    await entered(arn, 'Rollback');
    // Stopped before that has begun, the release would be rolled back as one that was stopped, not as one that failed.
    await until('the rollback machine', async () => (await lockOwner(stack)) === wayBackOf(arn) || undefined);
    await stop(arn);
    expect((await ended(wayBackOf(arn))).status).toBe('SUCCEEDED');
    await unlocked(stack);
    expect((await ended(arn)).status).toBe('ABORTED');
    expect(await stateOf(stack)).toEqual(before);
    expect(await outcomes(stack)).toEqual(['RELEASED', 'ROLLED_BACK']);
    expect((await records(stack)).at(-1)).toMatchObject({ execution: arn, error: 'SmokeTestFailedError' });
  });

  it('whose rollback is stopped, too, stays locked; the rollback machine, by hand, ends it', async () => {
    const stack = 'stopped-on-its-way';
    const before = await released(stack);
    const arn = await begin(stack, await failing());
    await entered(arn, 'Rollback');
    const way = wayBackOf(arn);
    await until('the rollback', async () => (await lockOwner(stack)) === way || undefined);
    await stop(way);
    expect((await ended(arn)).error).toBe('SmokeTestFailedError');
    expect(await lockOwner(stack)).toBe(way);
    const refused = await begin(stack, await projectZip(), { idempotencyKey: 'too-early' });
    expect((await ended(refused)).message).toContain(`start it with {"stackName": "${stack}"}`);
    expect((await ended(await startRollback({ stackName: stack }))).status).toBe('SUCCEEDED');
    await unlocked(stack);
    expect(await stateOf(stack)).toEqual(before);
  });

  it('before it had the lock leaves none, though its handler goes on', async () => {
    const source = await upload('uploads/late.zip', await projectZip());
    const input = { source, stackName: 'late' };
    const arn = await start(input);
    await stop(arn);
    await unlocked('late');
    const { startDate, name } = await sfn.send(new DescribeExecutionCommand({ executionArn: arn }));
    const { failed, text } = await callHandler('Prerequisites', {
      start: input,
      execution: { id: arn, name, startedAt: startDate },
    });
    expect(failed).toBe(true);
    expect(text).toMatch(/StackLockedError.*was stopped before its release began|AlreadyStarted/);
    // The rule for stopped executions may be at work by now; it has nothing to roll back.
    await unlocked('late');
    expect(await stateOf('late')).toEqual({ exists: false });
  });

  it('and that records itself late takes the lock of nobody else', async () => {
    const stack = 'late-record';
    const first = await begin(stack, await projectZip());
    await entered(first, 'Resolve');
    const id = await lockedRelease(stack);
    await stop(first);
    await unlocked(stack);
    const second = await begin(stack, await projectZip(), { idempotencyKey: 'second' });
    await entered(second, 'Resolve');
    const { source } = await begunWith(first);
    const { failed, text } = await callHandler('RecordRelease', {
      release: {
        id,
        stackName: stack,
        source,
        parameters: {},
        rollback: true,
        startedAt: new Date().toISOString(),
      },
      outcome: 'RELEASED',
      execution: first,
    });
    expect(failed).toBe(true);
    expect(text).toContain('StackLockedError');
    expect(await lockOwner(stack)).toBe(second);
    await stop(second);
    await unlocked(stack);
    expect(await outcomes(stack)).toEqual(['ROLLED_BACK', 'ROLLED_BACK']);
  });

  it('of a stack that was not there before is removed', async () => {
    const arn = await begin('first-stopped', await projectZip());
    await entered(arn, 'SmokeTest');
    await stop(arn);
    await unlocked('first-stopped');
    expect(await stateOf('first-stopped')).toEqual({ exists: false });
  });
});

describe('the rollback machine, by hand', () => {
  const rollback = async (input: object) => ended(await startRollback(input));

  it('does nothing where nothing was stopped, and leaves a running release alone', async () => {
    expect((await rollback({ stackName: 'never-there' })).output).toEqual({ nothingToDo: true });
    const arn = await begin('running', await projectZip());
    await entered(arn, 'Resolve');
    const refused = await rollback({ stackName: 'running' });
    expect(refused.error).toBe('StackLockedError');
    expect(refused.message).toContain('is running');
    // As if it had been called by the release, which waits for an execution of its own name only.
    const failure = { Error: 'Made up', Cause: '' };
    expect((await rollback({ executionArn: arn, failure })).error).toBe('StackLockedError');
    expect((await ended(arn)).status).toBe('SUCCEEDED');
  });

  it('refuses what is no stack', async () => {
    const { error } = await rollback({ stackName: '../x' });
    expect(error).toBe('InvalidInputError');
  });

  it('has failed for nobody', async () => {
    const { executions: failed = [] } = await sfn.send(
      new ListExecutionsCommand({ stateMachineArn: pipeline.RollbackMachine, statusFilter: 'FAILED' }),
    );
    const called = new Set((await executions()).map(({ arn }) => wayBackOf(arn)));
    // The refusals above.
    expect(failed.filter(({ executionArn = '' }) => !called.has(executionArn))).toHaveLength(3);
  });
});

import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { StopExecutionCommand } from '@aws-sdk/client-sfn';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  ended,
  entered,
  forgetBuilt,
  get,
  lockedRelease,
  lockOwner,
  pipeline,
  readArtifact,
  records,
  release,
  s3,
  sfn,
  start,
  stateOf,
  statesOf,
  until,
  upload,
  wayBackOf,
} from '../support/aws.ts';
import { EXPIRED, type Fault, THROTTLE, UNAVAILABLE, withFaults } from '../support/faults.ts';
import { aliased, type Files, projectZip } from '../support/project.ts';

const STACK = 'refused-by-aws';
const PIPELINE = 'Plimsoll-';
const on = (handler: string) => `${PIPELINE}Handlers${handler}`;

const project = (version: number, six: string, more: Files = {}) =>
  projectZip({
    ...aliased(version),
    'layers/utils/requirements.txt': `six==${six}\n`,
    'plimsoll.yaml': 'optimise: { mode: rules }\n',
    ...more,
  });

const failing = { 'functions/hello/smoke/you.json': '{"event": {}, "expect": {"statusCode": 201}}\n' };
const outcomes = async () => (await records(STACK)).map(({ outcome }) => outcome);

describe('AWS itself refuses', () => {
  beforeAll(async () => {
    const end = await release(STACK, await project(1, '1.14.0'));
    expect(end.status, end.message).toBe('SUCCEEDED');
  });

  it.each([
    ['throttles', THROTTLE, 2, '1.15.0'],
    ['is not there for', UNAVAILABLE, 3, '1.16.0'],
  ] as const)(
    'and %s the first call of each kind that a build or a handler makes: the release goes on all the same',
    async (_what, error, version, six) => {
      const { result, answered } = await withFaults(
        [{ principal: PIPELINE, action: '*', ...error, times: 1 }],
        async () => release(STACK, await project(version, six)),
      );
      expect(result.status, result.message).toBe('SUCCEEDED');
      const callers = new Set(
        answered.map((line) => /(?:Handlers|Builds)([A-Z][A-Za-z]+?)(?:Project)?Role/.exec(line)?.[1]),
      );
      expect([...callers]).toEqual(
        expect.arrayContaining([
          'Resolve',
          ...['Prerequisites', 'Plan', 'ValidateSizes', 'Snapshot', 'DeployLayers', 'ProbeImports'],
          ...[
            'CreateChangeSet',
            'ExecuteChangeSet',
            'AwaitStack',
            'SmokeTest',
            'ShiftTraffic',
            'WatchAlarms',
          ],
          ...['Observe', 'CleanUp', 'RecordRelease'],
        ]),
      );
      // The same call of the same caller failed once, so each of these was made again.
      expect(new Set(answered).size).toBe(answered.length);
      expect(answered.length).toBeGreaterThan(40);
      expect(await get(STACK, '/hello')).toMatchObject({ body: { version } });
    },
  );

  it('the first call of each kind during the rollback, too: the stack is as before', async () => {
    const before = await stateOf(STACK);
    const { result, answered } = await withFaults(
      [{ principal: on('Restore'), action: '*', ...THROTTLE, times: 1 }],
      async () => release(STACK, await project(4, '1.16.0', failing)),
    );
    expect(result.error, result.message).toBe('SmokeTestFailedError');
    expect(answered.length).toBeGreaterThan(4);
    expect(await stateOf(STACK)).toEqual(before);
    expect((await outcomes()).at(-1)).toBe('ROLLED_BACK');
  });

  const forever = (handler: string, action: string, error: Pick<Fault, 'error' | 'status'>): Fault => ({
    principal: on(handler),
    action,
    ...error,
    times: 1000,
  });

  it.each<[string, string, Fault, string]>([
    [
      'credentials that have expired, before anything has changed',
      'ExpiredTokenException',
      forever('DeployLayers', 'lambda:PublishLayerVersion', EXPIRED),
      '1.17.0',
    ],
    [
      'credentials that have expired, once the new version is there',
      'ExpiredToken',
      forever('ShiftTraffic', '*', EXPIRED),
      '1.16.0',
    ],
    [
      'no room for more alarms, once the traffic has gone over',
      'LimitExceededFault',
      forever('Observe', 'cloudwatch:PutMetricAlarm', { error: 'LimitExceededFault', status: 400 }),
      '1.16.0',
    ],
    [
      'no room for more code',
      'CodeStorageExceededException',
      forever('DeployLayers', 'lambda:PublishLayerVersion', {
        error: 'CodeStorageExceededException',
        status: 400,
      }),
      '1.12.0',
    ],
    [
      'layers that are too large together, which Lambda alone sees',
      'InvalidParameterValueException',
      forever('ProbeImports', 'lambda:CreateFunction', {
        error: 'InvalidParameterValueException',
        status: 400,
      }),
      '1.16.0',
    ],
  ])('for good, by %s: ends as %s, and the stack is as before', async (_what, error, fault, six) => {
    const before = await stateOf(STACK);
    const { result } = await withFaults([fault], async () => release(STACK, await project(5, six)));
    expect(result.error, result.message).toBe(error);
    expect(await stateOf(STACK)).toEqual(before);
    expect(await get(STACK, '/hello')).toMatchObject({ body: { version: 3 } });
    expect((await outcomes()).at(-1)).toBe('ROLLED_BACK');
  });
});

describe('a build', () => {
  const build = (project: string, action: string, error: string, times = 1000): Fault => ({
    principal: project,
    action: `codebuild:${action}`,
    error,
    status: 400,
    times,
  });

  it.each([
    ['has no time left', 'Resolve', 'TIMED_OUT', undefined],
    ['is stopped by somebody', 'Layer', 'STOPPED', 'layer'],
    ['is not carried out', 'Functions', 'FAULT', 'function'],
  ] as const)(
    'that %s: %s ends %s, the release says so, and the stack is as before',
    async (_what, project_, status, gone) => {
      const before = await stateOf(STACK);
      const zip = await project(3, '1.16.0');
      if (gone) await forgetBuilt(STACK, gone);
      const { result, answered } = await withFaults([build(project_, 'Build', status)], async () =>
        release(STACK, zip),
      );
      expect(answered).toHaveLength(1);
      expect(result.error, result.message).toBe('BuildFailedError');
      expect(result.message).toMatch(new RegExp(`^build \\S+ ended ${status}\\b.*The whole log: `, 's'));
      expect(await stateOf(STACK)).toEqual(before);
    },
  );

  const full = (project: string, limit: number, times: number): Fault => ({
    ...build(project, 'StartBuild', 'AccountLimitExceededException', times),
    message: `Cannot have more than ${limit} builds in queue for the account (Service: AWSCodeBuild; Status Code: 400; Error Code: AccountLimitExceededException)`,
  });

  it('that CodeBuild does not take yet is started again', async () => {
    const faults = [build('Resolve', 'StartBuild', 'ThrottlingException', 1), full('Resolve', 1, 1)];
    const { result, answered } = await withFaults(faults, async () =>
      release(STACK, await project(8, '1.16.0', { 'functions/hello/note.txt': 'again' })),
    );
    expect(result.status, result.message).toBe('SUCCEEDED');
    expect(answered).toHaveLength(2);
    expect(await statesOf(result.arn)).toContain('WaitToResolve');
  });

  it('that the account may never run ends the release at once, and names the quota', async () => {
    const before = await stateOf(STACK);
    const { result, answered } = await withFaults([full('Resolve', 0, 1000)], async () =>
      release(STACK, await project(10, '1.16.0')),
    );
    expect(result.error, result.message).toBe('BuildQuotaError');
    expect(result.message).toContain('L-2DC20C30');
    expect(answered).toHaveLength(1);
    expect(await stateOf(STACK)).toEqual(before);
  });
});

describe('somebody overwrites', () => {
  /** Does something once an execution has come to a state, which goes on a little later. */
  async function whileIn(state: string, action: string, zip: Buffer, act: (id: string) => Promise<void>) {
    // Three attempts of the SDK are one of the state; the next one is seconds away.
    const slow: Fault = { principal: on(state), action, ...UNAVAILABLE, times: 9 };
    return withFaults([slow], async () => {
      const source = await upload(`uploads/${STACK}.zip`, zip);
      const arn = await start({ source, stackName: STACK });
      await entered(arn, state);
      await act(await lockedRelease(STACK));
      return ended(arn);
    });
  }
  const overwrite = async (Key: string, Body: string) => {
    const { VersionId } = await s3.send(new PutObjectCommand({ Bucket: pipeline.ArtifactBucket, Key, Body }));
    return { Key, VersionId };
  };

  it('a validated artifact: what was validated is deployed all the same', async () => {
    const zip = await project(8, '1.16.0', { 'functions/hello/note.txt': 'overwritten' });
    const bad: { Key: string; VersionId: string | undefined }[] = [];
    const { result } = await whileIn('Snapshot', 'cloudformation:GetTemplate', zip, async (id) => {
      const validated = JSON.parse(await readArtifact(`releases/${STACK}/${id}/validated.json`)) as object;
      for (const key of Object.keys(validated)) bad.push(await overwrite(key, 'other'));
    });
    expect(result.status, result.message).toBe('SUCCEEDED');
    expect(bad).toHaveLength(2);
    // The next release would use what lies there now, and sees that it is not what was built.
    const next = await release(
      STACK,
      await project(8, '1.16.0', { 'functions/hello/note.txt': 'overwritten' }),
    );
    expect(next.error).toBe('UnsafeArchiveError');
    for (const one of bad)
      await s3.send(new DeleteObjectCommand({ Bucket: pipeline.ArtifactBucket, ...one }));
    expect(await get(STACK, '/hello')).toMatchObject({ body: { version: 8 } });
  });

  it('the snapshot of the template: it is not put in the place of what runs', async () => {
    const zip = await project(8, '1.16.0', failing);
    const { result } = await whileIn('CreateChangeSet', 'cloudformation:DescribeStacks', zip, async (id) => {
      await overwrite(`releases/${STACK}/${id}/snapshot-template`, '{"Resources": {}}');
    });
    expect(result.error, result.message).toBe('SmokeTestFailedError');
    expect((await outcomes()).at(-1)).toBe('ROLLBACK_FAILED');
    expect(await get(STACK, '/hello')).toMatchObject({ body: { version: 8 } });
    const repaired = await release(STACK, await project(8, '1.16.0'), { unlock: true });
    expect(repaired.status, repaired.message).toBe('SUCCEEDED');
  });
});

describe('the rollback itself fails', () => {
  // Three attempts of the SDK are one of the state.
  const restoreFails = (times: number, error: Pick<Fault, 'error' | 'status'>): Fault => ({
    principal: on('Restore'),
    action: 'cloudformation:CreateChangeSet',
    ...error,
    times,
  });

  it.each([
    ['once', 3],
    ['twice', 6],
  ])('%s: it is tried again, and the stack is as before', async (_how, times) => {
    const before = await stateOf(STACK);
    const { result, answered } = await withFaults([restoreFails(times, UNAVAILABLE)], async () =>
      release(STACK, await project(6, '1.16.0', failing)),
    );
    expect(result.error, result.message).toBe('SmokeTestFailedError');
    expect(answered).toHaveLength(times);
    expect(await stateOf(STACK)).toEqual(before);
    expect((await outcomes()).at(-1)).toBe('ROLLED_BACK');
  });

  it('always: the alias is back all the same, the lock stays and says why, and the next start with "unlock" goes on', async () => {
    const { result } = await withFaults([restoreFails(1000, EXPIRED)], async () =>
      release(STACK, await project(7, '1.16.0', failing)),
    );
    expect(result.error, result.message).toBe('SmokeTestFailedError');
    expect((await outcomes()).at(-1)).toBe('ROLLBACK_FAILED');
    expect(await get(STACK, '/hello')).toMatchObject({ body: { version: 8 } });
    expect(await lockOwner(STACK)).toBeDefined();
    const refused = await release(STACK, await project(8, '1.16.0'));
    expect(refused.error).toBe('StackLockedError');
    const repaired = await release(STACK, await project(8, '1.16.0'), { unlock: true });
    expect(repaired.status, repaired.message).toBe('SUCCEEDED');
    expect(await get(STACK, '/hello')).toMatchObject({ body: { version: 8 } });
  });

  describe('for the alarms only', () => {
    const full = {
      principal: on('Observe'),
      action: 'cloudwatch:PutMetricAlarm',
      error: 'LimitExceededFault',
      status: 400,
      times: 1000,
    };

    it('the stack is back, a person is told, and nobody is locked out', async () => {
      const before = await stateOf(STACK);
      const { result } = await withFaults([full], async () => release(STACK, await project(9, '1.16.0')));
      expect(result.error, result.message).toBe('LimitExceededFault');
      expect(await statesOf(wayBackOf(result.arn))).toContain('NotifyUnobserved');
      expect(await stateOf(STACK)).toEqual(before);
      expect((await outcomes()).at(-1)).toBe('ROLLED_BACK');
      expect(await lockOwner(STACK)).toBeUndefined();
    });

    it('after a stop, too', async () => {
      const before = await stateOf(STACK);
      const { result } = await withFaults([full], async () => {
        const zip = await project(9, '1.16.0');
        const arn = await start({ source: await upload(`uploads/${STACK}.zip`, zip), stackName: STACK });
        await entered(arn, 'SmokeTest');
        await sfn.send(new StopExecutionCommand({ executionArn: arn }));
        const way = await until('the rule', async () => {
          const owner = await lockOwner(STACK);
          return owner === arn ? undefined : owner;
        });
        return ended(way);
      });
      expect(result.status, result.message).toBe('SUCCEEDED');
      expect(await statesOf(result.arn)).toContain('NotifyUnobserved');
      expect(await stateOf(STACK)).toEqual(before);
      expect((await outcomes()).at(-1)).toBe('ROLLED_BACK');
      expect(await lockOwner(STACK)).toBeUndefined();
    });
  });
});

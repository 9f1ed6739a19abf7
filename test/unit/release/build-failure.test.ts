import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { type Build, CodeBuildClient } from '@aws-sdk/client-codebuild';
import { S3Client } from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { accountLimit, describeBuild, secondsToWait } from '../../../core/release/build-failure.ts';
import { DEPLOY_SECONDS } from '../../../core/release/limits.ts';
import { explainBuildFailure } from '../../../handlers/explain-build-failure.ts';
import { ArtifactBucket } from '../../../handlers/lib/artifact-bucket.ts';
import { stopBuilds } from '../../../handlers/stop-builds.ts';
import { release } from '../../support/release.ts';

const variables = (values: Record<string, string>) => ({
  environment: {
    type: 'LINUX_CONTAINER' as const,
    image: 'image',
    computeType: 'BUILD_GENERAL1_MEDIUM' as const,
    environmentVariables: Object.entries(values).map(([name, value]) => ({ name, value })),
  },
});

/** As BatchGetBuilds answers of a build whose command has failed: CodeBuild API reference, Build, BuildPhase, PhaseContext. */
const FAILED: Build = {
  id: 'Layer:0d3c3f4e-9f0b-4d0c-8f53-7d9f2a1b0c11',
  buildStatus: 'FAILED',
  currentPhase: 'COMPLETED',
  ...variables({ RELEASE: JSON.stringify(release), ARTIFACT: 'utils' }),
  phases: [
    { phaseType: 'SUBMITTED', phaseStatus: 'SUCCEEDED' },
    { phaseType: 'QUEUED', phaseStatus: 'SUCCEEDED' },
    { phaseType: 'PROVISIONING', phaseStatus: 'SUCCEEDED', contexts: [{ statusCode: '', message: '' }] },
    {
      phaseType: 'BUILD',
      phaseStatus: 'FAILED',
      contexts: [
        {
          statusCode: 'COMMAND_EXECUTION_ERROR',
          message: 'Error while executing command: node plimsoll.mjs step layer. Reason: exit status 137',
        },
      ],
    },
    { phaseType: 'FINALIZING', phaseStatus: 'SUCCEEDED' },
    { phaseType: 'COMPLETED' },
  ],
  logs: { groupName: 'Logs', streamName: '0d3c', deepLink: 'https://console.aws.amazon.com/logs' },
};

interface Answers {
  builds?: Build[];
  lines?: string[] | Error;
}

/** Clients that answer as the SDK does, and what they were asked. */
function clients({ builds = [], lines = [] }: Answers) {
  const asked: string[] = [];
  const said: string[] = [];
  const answer = (act: (name: string, input: Record<string, unknown>) => unknown) =>
    (async (command: { constructor: { name: string }; input: Record<string, unknown> }) => {
      const name = command.constructor.name.replace(/Command$/, '');
      asked.push(`${name} ${JSON.stringify(command.input)}`);
      return act(name, command.input);
    }) as never;
  const codebuild = new CodeBuildClient({ region: 'us-east-1' });
  codebuild.send = answer((name, input) => {
    if (name === 'ListBuildsForProject')
      return {
        ids: builds.flatMap(({ id = '' }) => (id.startsWith(`${input['projectName']}:`) ? [id] : [])),
      };
    return { builds: builds.filter(({ id = '' }) => (input['ids'] as string[] | undefined)?.includes(id)) };
  });
  const logs = new CloudWatchLogsClient({ region: 'us-east-1' });
  logs.send = answer(() => {
    if (lines instanceof Error) throw lines;
    return { events: lines.map((message) => ({ message: `${message}\n` })) };
  });
  class EmptyBucket extends ArtifactBucket {
    override async head() {
      return undefined;
    }
  }
  return {
    asked,
    said,
    codebuild,
    logs,
    bucket: new EmptyBucket(new S3Client({ region: 'us-east-1' }), 'artifacts'),
    projects: ['Resolve', 'Layer'],
    say: (text: string) => void said.push(text),
    now: () => Date.parse(release.startedAt) + 60_000,
    random: () => 1,
  };
}

const explain = (error: { Error?: string; Cause?: string }, answers: Answers, step = 'layer-utils') => {
  const all = clients(answers);
  return { ...all, end: explainBuildFailure({ release, step, error }, all) };
};

const failedTask = (build: Build) => ({
  Error: 'States.TaskFailed',
  Cause: JSON.stringify({ Build: { Arn: 'arn', BuildStatus: build.buildStatus, Id: build.id } }),
});

describe('a person is told of a build that failed', () => {
  it('its phase, its reason, the end of its log and where the rest is', async () => {
    const { end, asked } = explain(failedTask(FAILED), { builds: [FAILED], lines: ['installing', 'Killed'] });
    await expect(end).rejects.toThrow(
      `build layer-utils ended FAILED in phase BUILD: COMMAND_EXECUTION_ERROR: Error while executing command: node plimsoll.mjs step layer. Reason: exit status 137
  The last lines of its log:
    installing
    Killed
  The whole log: https://console.aws.amazon.com/logs`,
    );
    await expect(end).rejects.toMatchObject({ name: 'BuildFailedError' });
    expect(asked).toEqual([
      `BatchGetBuilds {"ids":["${FAILED.id}"]}`,
      'GetLogEvents {"logGroupName":"Logs","logStreamName":"0d3c","limit":20,"startFromHead":false}',
    ]);
  });

  it('all but its log where that cannot be read', async () => {
    const { end, said } = explain(failedTask(FAILED), {
      builds: [FAILED],
      lines: new Error('ResourceNotFoundException'),
    });
    await expect(end).rejects.toThrow(/COMMAND_EXECUTION_ERROR.*\n {2}The whole log: https/);
    expect(said).toEqual([expect.stringContaining('ResourceNotFoundException')]);
  });

  it('though Step Functions has cut its record off', async () => {
    const cause = `${failedTask(FAILED).Cause.slice(0, -2)},"Phases":[{"Contexts":[`;
    const { end } = explain({ Error: 'States.TaskFailed', Cause: cause }, { builds: [FAILED] });
    await expect(end).rejects.toThrow(/in phase BUILD/);
  });

  it('that it waited in the queue until its state ran out of time, and which quota to raise', async () => {
    const queued: Build = {
      ...FAILED,
      id: 'Layer:2',
      buildStatus: 'STOPPED',
      phases: [
        { phaseType: 'SUBMITTED', phaseStatus: 'SUCCEEDED' },
        { phaseType: 'QUEUED', phaseStatus: 'STOPPED' },
      ],
      logs: {},
    };
    const others: Build[] = [
      { ...queued, id: 'Layer:3', ...variables({ RELEASE: JSON.stringify({ ...release, id: 'another' }) }) },
      { ...queued, id: 'Layer:1', ...variables({ RELEASE: 'no JSON', ARTIFACT: 'utils' }) },
    ];
    const { end } = explain({ Error: 'States.Timeout' }, { builds: [...others, queued] });
    await expect(end).rejects.toThrow(
      /^build layer-utils ended STOPPED while it was in the queue: .*\n {2}The whole log: it has no log\n {2}Request an increase .* \(L-2DC20C30\)/s,
    );
  });

  it('what Step Functions says where it never began', async () => {
    const error = { Error: 'CodeBuild.InvalidInputException', Cause: 'Project Layer is gone' };
    await expect(explain(error, {}).end).rejects.toThrow(
      'build layer-utils did not run: CodeBuild.InvalidInputException: Project Layer is gone',
    );
  });

  it('no more of a log than a message holds', () => {
    const lines = Array.from({ length: 100 }, (_, n) => `${n} ${'x'.repeat(1000)}`);
    const text = describeBuild('resolve', { id: 'a', status: 'FAILED', phases: [], log: {} }, lines);
    expect(text.length).toBeLessThan(7000);
    expect(text).toContain('\n    99 x');
    expect(text).not.toContain('\n    79 x');
  });
});

describe('a build that finds no room in the account', () => {
  const says = (limit: number) => ({
    Error: 'CodeBuild.AccountLimitExceededException',
    Cause: `Cannot have more than ${limit} builds in queue for the account (Service: AWSCodeBuild; Status Code: 400; Error Code: AccountLimitExceededException)`,
  });

  it('is to be started again, and the log says why it waits', async () => {
    const { end, said } = explain(says(5), {});
    expect(await end).toEqual({ waitSeconds: 15 });
    expect(said).toEqual([
      expect.stringMatching(/^build layer-utils waits 15 s .*Cannot have more than 5 builds/),
    ]);
  });

  it('ends with the name of the quota where there can never be room', async () => {
    const { end } = explain(says(0), {});
    await expect(end).rejects.toMatchObject({ name: 'BuildQuotaError', exitCode: 2 });
    await expect(end).rejects.toThrow(
      /Request an increase of the quota "Concurrently running builds for Linux\/Medium environment" \(L-2DC20C30\)/,
    );
  });

  it('is told from every other error', () => {
    expect(accountLimit(says(1))).toBe(1);
    expect(accountLimit({ Error: 'CodeBuild.AccountLimitExceededException' })).toBe(Number.POSITIVE_INFINITY);
    expect(accountLimit({ Error: 'States.TaskFailed', Cause: says(0).Cause })).toBeUndefined();
  });

  it('waits longer and longer, and asks a bounded number of times in the time of a release', () => {
    let [elapsed, times] = [0, 0];
    for (; elapsed < DEPLOY_SECONDS; times += 1) {
      const wait = secondsToWait(elapsed, 0);
      expect(wait).toBeGreaterThanOrEqual(8);
      expect(wait).toBeLessThanOrEqual(600);
      elapsed += wait;
    }
    expect(times).toBeLessThan(110);
    expect(secondsToWait(DEPLOY_SECONDS, 1)).toBe(600);
    expect(secondsToWait(0, 1)).toBe(15);
  });
});

describe('builds that a release has left behind', () => {
  it('are stopped, and no others', async () => {
    const of = (id: string, buildStatus: Build['buildStatus'], RELEASE: string): Build => ({
      id,
      buildStatus,
      ...variables({ RELEASE }),
    });
    const mine = JSON.stringify({ ...release, parameters: {} });
    const builds = [
      of('Resolve:1', 'SUCCEEDED', mine),
      of('Layer:1', 'IN_PROGRESS', mine),
      of('Layer:2', 'IN_PROGRESS', JSON.stringify({ ...release, stackName: 'other' })),
      of('Layer:3', 'IN_PROGRESS', JSON.stringify({ ...release, id: 'later' })),
      of('Layer:4', 'IN_PROGRESS', mine),
    ];
    const all = clients({ builds });
    expect(await stopBuilds({ release }, all)).toEqual({ stopped: ['Layer:1', 'Layer:4'] });
    expect(all.asked.filter((call) => call.startsWith('StopBuild'))).toEqual([
      'StopBuild {"id":"Layer:1"}',
      'StopBuild {"id":"Layer:4"}',
    ]);
  });
});

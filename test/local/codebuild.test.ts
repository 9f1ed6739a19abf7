import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CloudWatchLogsClient, GetLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import {
  BatchGetBuildsCommand,
  type Build,
  CodeBuildClient,
  CreateProjectCommand,
  ListBuildsForProjectCommand,
  type ProjectSource,
  StartBuildCommand,
  type StartBuildCommandInput,
  StopBuildCommand,
} from '@aws-sdk/client-codebuild';
import { StopExecutionCommand } from '@aws-sdk/client-sfn';
import { describe, expect, it } from 'vitest';
import { ended, pipeline, sfn, until, upload } from '../support/aws.ts';
import { role } from '../support/functions.ts';
import { writeZipWith } from '../support/hostile-zip.ts';
import { createMachine, execute } from '../support/machines.ts';

const codebuild = new CodeBuildClient();
const logs = new CloudWatchLogsClient();
let count = 0;

async function project(
  buildspec: string,
  source: ProjectSource = { type: 'NO_SOURCE' },
  variables: Record<string, string> = {},
): Promise<string> {
  count += 1;
  const name = `test-build-${count}`;
  await codebuild.send(
    new CreateProjectCommand({
      name,
      source: { ...source, buildspec },
      artifacts: { type: 'NO_ARTIFACTS' },
      environment: {
        type: 'LINUX_CONTAINER',
        image: 'aws/codebuild/amazonlinux2-x86_64-standard:5.0',
        computeType: 'BUILD_GENERAL1_SMALL',
        environmentVariables: Object.entries(variables).map(([key, value]) => ({ name: key, value })),
      },
      serviceRole: await role('test-build', 'codebuild.amazonaws.com', [
        { Action: 's3:GetObject', Resource: `arn:aws:s3:::${pipeline.SourceBucket}/builds/*` },
      ]),
    }),
  );
  return name;
}

async function begin(projectName: string, more: Partial<StartBuildCommandInput> = {}): Promise<string> {
  const { build } = await codebuild.send(new StartBuildCommand({ projectName, ...more }));
  return build?.id ?? '';
}

const look = async (id: string): Promise<Build | undefined> =>
  (await codebuild.send(new BatchGetBuildsCommand({ ids: [id] }))).builds?.[0];

const end = (id: string): Promise<Build> =>
  until(`the end of build ${id}`, async () => {
    const build = await look(id);
    return build?.buildStatus === 'IN_PROGRESS' ? undefined : build;
  });

async function logOf(build: Build): Promise<string[]> {
  const { groupName = '', streamName = '' } = build.logs ?? {};
  const { events = [] } = await logs.send(
    new GetLogEventsCommand({ logGroupName: groupName, logStreamName: streamName, startFromHead: true }),
  );
  return events.map(({ message = '' }) => message.trimEnd());
}

const printed = (lines: readonly string[]) => lines.filter((line) => !line.startsWith('[Container]'));

describe('CodeBuild runs a buildspec', () => {
  it('phase by phase, with variables that live on, and exports some', async () => {
    const spec = `
version: 0.2
env:
  variables: { COLOUR: red, SIZE: small }
  exported-variables: [ANSWER]
phases:
  install: { commands: [export ANSWER=42, mkdir sub && cd sub] }
  build: { commands: ['echo "$COLOUR $SIZE $ANSWER $(basename "$PWD")"'] }
  post_build: { commands: [echo after] }
`;
    const build = await end(await begin(await project(spec, undefined, { SIZE: 'large' })));
    expect(build.buildStatus).toBe('SUCCEEDED');
    // The project's variables win over the buildspec's: build-env-ref-env-vars.
    expect(printed(await logOf(build))).toEqual(['red large 42 sub', 'after']);
    expect(build.exportedEnvironmentVariables).toEqual([{ name: 'ANSWER', value: '42' }]);
    expect(build.phases?.map(({ phaseType }) => phaseType)).toEqual(
      expect.arrayContaining(['INSTALL', 'BUILD', 'POST_BUILD']),
    );
  });

  it('with the overrides of StartBuild', async () => {
    const name = await project('version: 0.2\nphases: { build: { commands: [echo $WHO] } }', undefined, {
      WHO: 'project',
    });
    const overridden = await end(
      await begin(name, { environmentVariablesOverride: [{ name: 'WHO', value: 'start' }] }),
    );
    expect(printed(await logOf(overridden))).toEqual(['start']);
    expect(printed(await logOf(await end(await begin(name))))).toEqual(['project']);
  });

  it('in its source from S3, read with the role of the project', async () => {
    const zip = writeZipWith([{ name: 'hello.txt', text: 'from the zip' }]);
    const { bucket } = await upload('builds/source.zip', zip);
    await upload('elsewhere/source.zip', zip);
    const spec = 'version: 0.2\nphases: { build: { commands: [cat hello.txt] } }';
    const allowed = await end(
      await begin(await project(spec, { type: 'S3', location: `${bucket}/builds/source.zip` })),
    );
    expect(printed(await logOf(allowed))).toEqual(['from the zip']);
    const refused = await end(
      await begin(await project(spec, { type: 'S3', location: `${bucket}/elsewhere/source.zip` })),
    );
    expect(refused.buildStatus).not.toBe('SUCCEEDED');
  });

  it('and after a failed command goes on as the buildspec says', async () => {
    const spec = (onFailure: string) => `
version: 0.2
phases:
  build:
    ${onFailure}
    commands: [echo one, 'false', echo two]
    finally: [echo finally]
  post_build: { commands: [echo post] }
`;
    const usual = await end(await begin(await project(spec(''))));
    expect(usual.buildStatus).toBe('FAILED');
    // post_build runs after a failed build phase, finally always: build-spec-ref.
    expect(printed(await logOf(usual))).toEqual(['one', 'finally', 'post']);
    const aborted = await end(await begin(await project(spec('on-failure: ABORT'))));
    expect(printed(await logOf(aborted))).toEqual(['one', 'finally']);
  });

  it('never as a part of this machine: no variable of the host is seen but those that reach registries', async () => {
    // Set where the embedded AWS was started: test/support/embedded-aws.ts.
    const build = await end(
      await begin(await project('version: 0.2\nphases: { build: { commands: [env] } }')),
    );
    expect((await logOf(build)).join('\n')).not.toContain('PLIMSOLL_TEST_SECRET');
  });

  it('until it is stopped, and kills what it started', async () => {
    const marker = join(mkdtempSync(join(tmpdir(), 'plimsoll-test-')), 'marker');
    const id = await begin(
      await project(`version: 0.2\nphases: { build: { commands: ["sleep 3; touch ${marker}"] } }`),
    );
    await until('the build phase', async () =>
      (await look(id))?.currentPhase === 'BUILD' ? true : undefined,
    );
    await codebuild.send(new StopBuildCommand({ id }));
    expect((await end(id)).buildStatus).toBe('STOPPED');
    await new Promise((resolve) => setTimeout(resolve, 3500));
    expect(existsSync(marker)).toBe(false);
  });
});

describe('a state of codebuild:startBuild.sync', () => {
  const task = (projectName: string, more: object = {}) => ({
    Build: {
      Type: 'Task',
      Resource: 'arn:aws:states:::codebuild:startBuild.sync',
      Arguments: {
        ProjectName: projectName,
        EnvironmentVariablesOverride: [{ Name: 'WHO', Value: '{% $states.input.who %}', Type: 'PLAINTEXT' }],
      },
      End: true,
      ...more,
    },
  });

  it('waits for the build and answers it in PascalCase', async () => {
    const name = await project(
      'version: 0.2\nenv: { exported-variables: [OUT] }\nphases: { build: { commands: ["export OUT=$WHO"] } }',
    );
    const done = await ended(
      await execute(await createMachine('sync-ok', 'Build', task(name)), { who: 'me' }),
    );
    expect(done.status, done.message).toBe('SUCCEEDED');
    expect(done.output).toMatchObject({
      Build: { BuildStatus: 'SUCCEEDED', ExportedEnvironmentVariables: [{ Name: 'OUT', Value: 'me' }] },
    });
  });

  it('fails with States.TaskFailed and the build as its cause', async () => {
    const name = await project('version: 0.2\nphases: { build: { commands: [exit 3] } }');
    const done = await ended(
      await execute(await createMachine('sync-fails', 'Build', task(name)), { who: 'me' }),
    );
    expect(done.error).toBe('States.TaskFailed');
    expect(JSON.parse(done.cause)).toMatchObject({ Build: { BuildStatus: 'FAILED', ProjectName: name } });
  });

  it('stops the build when the execution is stopped, and when its own time is over', async () => {
    const slow = await project('version: 0.2\nphases: { build: { commands: [sleep 60] } }');
    const running = () =>
      until('a running build', async () => {
        const { ids = [] } = await codebuild.send(new ListBuildsForProjectCommand({ projectName: slow }));
        for (const id of ids) if ((await look(id))?.buildStatus === 'IN_PROGRESS') return id;
        return undefined;
      });
    const stopped = await execute(await createMachine('sync-stopped', 'Build', task(slow)), { who: 'me' });
    const first = await running();
    await sfn.send(new StopExecutionCommand({ executionArn: stopped }));
    expect((await end(first)).buildStatus).toBe('STOPPED');

    const late = await execute(await createMachine('sync-late', 'Build', task(slow, { TimeoutSeconds: 2 })), {
      who: 'me',
    });
    const second = await running();
    expect((await ended(late)).error).toBe('States.Timeout');
    expect((await end(second)).buildStatus).toBe('STOPPED');
  });
});

import { BatchGetBuildsCommand, CodeBuildClient, ListBuildsCommand } from '@aws-sdk/client-codebuild';
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  ended,
  get,
  pipeline,
  readArtifact,
  records,
  release,
  s3,
  start,
  stateOf,
  statesOf,
  upload,
} from '../support/aws.ts';
import { aliased, BASE, type Files, projectZip } from '../support/project.ts';

const STACK = 'secretive';
const ONE = 's3cr3t-value-one';
const TWO = 's3cr3t-value-two';

const TEMPLATE = (aliased(1)['template.yaml'] ?? '')
  .replace('Parameters:\n', 'Parameters:\n  ApiKey: { Type: String, NoEcho: true }\n')
  .replace('GREETING: !Ref Greeting', "GREETING: !Ref Greeting, KEY: !Sub 'key:${ApiKey}'");

/** Its answer's version is the end of the secret. */
const project = (more: Files = {}) =>
  projectZip({
    'template.yaml': TEMPLATE,
    'functions/hello/app.py': (BASE['functions/hello/app.py'] ?? '').replace(
      '"version": 1',
      '"version": os.environ["KEY"][-3:]',
    ),
    ...more,
  });
const RAISES = { 'functions/hello/smoke/you.json': '{"event": {}, "expect": {"statusCode": 418}}\n' };

const live = async () => (await get(STACK, '/hello?name=you')).body;

/** All that a release has left in the artifact bucket, as text. */
async function leftInBucket(): Promise<string[]> {
  const { Contents = [] } = await s3.send(
    new ListObjectsV2Command({ Bucket: pipeline.ArtifactBucket, Prefix: `releases/${STACK}/` }),
  );
  return Promise.all(Contents.map(({ Key = '' }) => readArtifact(Key)));
}

/** What the builds of the stack's releases were given: by the name of the CodeBuild project. */
async function givenToBuilds(): Promise<Map<string, string>> {
  const codebuild = new CodeBuildClient();
  const { ids = [] } = await codebuild.send(new ListBuildsCommand({ sortOrder: 'DESCENDING' }));
  const { builds = [] } = await codebuild.send(new BatchGetBuildsCommand({ ids: ids.slice(0, 100) }));
  return new Map(
    builds.flatMap(({ projectName = '', environment }) => {
      const given = JSON.stringify(environment);
      return given.includes(`\\"${STACK}\\"`) ? [[projectName, given] as const] : [];
    }),
  );
}

describe('the value of a NoEcho parameter', () => {
  beforeAll(async () => {
    const first = await release(STACK, await project(), { parameters: { ApiKey: ONE } });
    expect(first.status, first.message).toBe('SUCCEEDED');
    expect(await live()).toEqual({ text: 'hello you', version: 'one' });
  });

  it('reaches the function, and neither the bucket, nor the record, nor a build that runs code of others', async () => {
    const left = await leftInBucket();
    expect(left.length).toBeGreaterThan(4);
    expect(left.filter((text) => text.includes(ONE))).toEqual([]);
    expect(JSON.stringify(await records(STACK))).not.toContain(ONE);
    const given = await givenToBuilds();
    // The build that knows the value resolves, and another one runs the project's code.
    expect([...given.keys()].map((name) => /Resolve|Optimise/.exec(name)?.[0]).sort()).toEqual([
      'Optimise',
      'Resolve',
    ]);
    for (const [name, text] of given) if (!name.includes('Resolve')) expect(text, name).not.toContain(ONE);
  });

  it('stays when the input leaves it out', async () => {
    const end = await release(STACK, await project({ 'functions/hello/note.txt': 'x' }));
    expect(end.status, end.message).toBe('SUCCEEDED');
    expect(await live()).toEqual({ text: 'hello you', version: 'one' });
  });

  it('is not ended by another one, as nobody could restore it', async () => {
    const before = await stateOf(STACK);
    const arn = await start({
      source: await upload(`uploads/${STACK}.zip`, await project()),
      stackName: STACK,
      parameters: { ApiKey: TWO },
    });
    const end = await ended(arn);
    expect(end.error).toBe('StatefulChangeError');
    expect(end.message).toContain('value of parameter ApiKey, which is NoEcho');
    expect(end.message).not.toContain(TWO);
    expect(await statesOf(arn)).not.toContain('Resolve');
    expect(await stateOf(STACK)).toEqual(before);
    expect(await live()).toEqual({ text: 'hello you', version: 'one' });
  });

  it('is not ended by a template without its parameter', async () => {
    const before = await stateOf(STACK);
    const dropped = await project({
      'template.yaml': TEMPLATE.replace('  ApiKey: { Type: String, NoEcho: true }\n', '').replace(
        "!Sub 'key:${ApiKey}'",
        'none',
      ),
    });
    const end = await release(STACK, dropped);
    expect(end.error, end.message).toBe('StatefulChangeError');
    expect(end.message).toContain('"allowDataLoss": ["ApiKey"]');
    expect(await stateOf(STACK)).toEqual(before);

    const failed = await release(STACK, await project(RAISES));
    expect(failed.error, failed.message).toBe('SmokeTestFailedError');
    expect(await stateOf(STACK)).toEqual(before);
    expect(await live()).toEqual({ text: 'hello you', version: 'one' });
  });

  it('is another one where the input allows it by name', async () => {
    const end = await release(STACK, await project(), {
      parameters: { ApiKey: TWO },
      allowDataLoss: ['ApiKey'],
    });
    expect(end.status, end.message).toBe('SUCCEEDED');
    expect(await live()).toEqual({ text: 'hello you', version: 'two' });
    const next = await release(STACK, await project({ 'functions/hello/note.txt': 'y' }));
    expect(next.status, next.message).toBe('SUCCEEDED');
    const same = await release(STACK, await project({ 'functions/hello/note.txt': 'y' }));
    expect(same.status, same.message).toBe('SUCCEEDED');
    expect(await statesOf(same.arn)).not.toContain('ShiftTraffic');
    expect(await live()).toEqual({ text: 'hello you', version: 'two' });
  });

  it('is still answered with by the version before when a release with another one fails', async () => {
    const end = await release(STACK, await project(RAISES), {
      parameters: { ApiKey: ONE },
      allowDataLoss: ['ApiKey'],
    });
    expect(end.error, end.message).toBe('SmokeTestFailedError');
    expect(await live()).toEqual({ text: 'hello you', version: 'two' });
    const left = await leftInBucket();
    expect(left.filter((text) => text.includes(ONE) || text.includes(TWO))).toEqual([]);
  });

  it('leaves a stack that says what is missing where a release without its parameter fails', async () => {
    const dropped = await project({
      ...RAISES,
      'template.yaml': TEMPLATE.replace('  ApiKey: { Type: String, NoEcho: true }\n', '').replace(
        "!Sub 'key:${ApiKey}'",
        'none',
      ),
    });
    const end = await release(STACK, dropped, { allowDataLoss: ['ApiKey'] });
    expect(end.error, end.message).toBe('SmokeTestFailedError');
    expect(await records(STACK)).toContainEqual(expect.objectContaining({ outcome: 'ROLLBACK_FAILED' }));
    expect(await live()).toEqual({ text: 'hello you', version: 'two' });
    const next = await release(STACK, await project());
    expect(next.message).toContain('nobody knows the value any more that its NoEcho parameter ApiKey had');
  });
});

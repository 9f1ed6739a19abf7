import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import {
  ended,
  executions,
  get,
  lockOwner,
  pipeline,
  records,
  start,
  stateOf,
  until,
  upload,
} from '../support/aws.ts';
import { writeZipWith } from '../support/hostile-zip.ts';
import { projectZip } from '../support/project.ts';

const arns = async () => new Set((await executions()).map(({ arn }) => arn));

/** Executions that began since, with their input. */
async function begunSince(before: Set<string>): Promise<string[]> {
  return [...(await arns())].filter((arn) => !before.has(arn));
}

describe('an upload below projects/', () => {
  it('starts a release of the stack that its key names, once', async () => {
    const before = await arns();
    await upload('projects/uploaded.zip', await projectZip());
    const [arn = ''] = await until('an execution', async () => {
      const begun = await begunSince(before);
      return begun.length > 0 ? begun : undefined;
    });
    const end = await ended(arn);
    expect(end.status, end.message).toBe('SUCCEEDED');
    expect(await get('uploaded', '/hello')).toMatchObject({ status: 200 });
    expect(await begunSince(before)).toEqual([arn]);
  });

  it('is released once, though its event comes twice', async () => {
    const zip = await projectZip();
    const source = await upload('uploads/twice.zip', zip);
    const input = { source, stackName: 'twice' };
    const ends = await Promise.all([await start(input), await start(input)].map(ended));
    expect(ends.map(({ status }) => status)).toEqual(['SUCCEEDED', 'SUCCEEDED']);
    expect(ends.filter(({ output }) => output['alreadyStarted'] === true)).toHaveLength(1);
    expect(await records('twice')).toHaveLength(1);
  });

  it('that is not below projects/, or no zip, starts nothing', async () => {
    const before = await arns();
    const zip = await projectZip();
    await upload('elsewhere/uploaded.zip', zip);
    await upload('projects/uploaded.txt', zip);
    await sleep(2000);
    expect(await begunSince(before)).toEqual([]);
  });
});

describe('a start from the console', () => {
  it('takes the newest version where the input names none', async () => {
    const { bucket, key } = await upload('uploads/console.zip', await projectZip());
    const end = await ended(
      await start({
        source: { bucket, key },
        stackName: 'console',
        parameters: { Greeting: 'welcome' },
        idempotencyKey: 'console-1',
      }),
    );
    // The endpoint's check in plimsoll.yaml expects the default greeting.
    expect(end.error).toBe('SmokeTestFailedError');
    expect(end.message).toContain('welcome test');
  });

  it.each([
    { what: 'an unknown field', input: { stack: 'x' }, says: ['Prerequisites', 'stack'] },
    { what: 'a stack name that is none', input: { stackName: '../x' }, says: ['stackName'] },
    { what: 'a parameter name that is none', input: { parameters: { 'a-b': '1' } }, says: ['parameters'] },
    {
      what: 'no stack name at all',
      input: { source: { bucket: 'b-b', key: 'x.zip' } },
      says: ['source.key', 'x.zip', 'stackName'],
    },
  ])('is refused with $what', async ({ input, says }) => {
    const end = await ended(
      await start({ source: { bucket: pipeline.SourceBucket, key: 'uploads/none.zip' }, ...input }),
    );
    expect(end.error).toBe('InvalidInputError');
    for (const part of says) expect(end.message).toContain(part);
  });

  it('is refused where there is no such object', async () => {
    const end = await ended(
      await start({ source: { bucket: pipeline.SourceBucket, key: 'uploads/none.zip' }, stackName: 'none' }),
    );
    expect(end.error).toBe('PrerequisiteError');
    expect(end.message).toContain('uploads/none.zip');
    expect(await stateOf('none')).toEqual({ exists: false });
  });
});

describe('a stack named like the pipeline itself', () => {
  it.each(['Plimsoll', 'Plimsoll-shop'])('is refused before anything starts: %s', async (stackName) => {
    const source = await upload('uploads/own.zip', await projectZip());
    const end = await ended(await start({ source, stackName }));
    expect(end.error).toBe('PrerequisiteError');
    expect(end.message).toContain('give another stackName');
    expect(await lockOwner(stackName)).toBeUndefined();
  });
});

describe('a hostile upload', () => {
  it.each([
    { what: 'climbs out of its folder', entries: [{ name: '../../evil.py', text: 'x' }] },
    {
      what: 'is a link or a special file',
      entries: [{ name: 'template.yaml', text: '/etc/passwd', mode: 0o120777 }],
    },
    {
      what: 'is there twice',
      entries: [
        { name: 'template.yaml', text: 'a' },
        { name: 'template.yaml', text: 'b' },
      ],
    },
  ])('that $what is refused before anything is unpacked', async ({ what, entries }) => {
    const source = await upload('uploads/hostile.zip', writeZipWith(entries));
    const end = await ended(await start({ source, stackName: 'hostile' }));
    expect(end.error, end.message).toBe('UnsafeArchiveError');
    expect(end.message).toContain(what);
  });

  it('that is no zip is refused', async () => {
    const source = await upload('uploads/hostile.zip', Buffer.from('PK but no zip'));
    const end = await ended(await start({ source, stackName: 'hostile' }));
    expect(end.error).toBe('UnsafeArchiveError');
  });
});

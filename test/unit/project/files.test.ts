import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { build } from '../../../cli/commands/build.ts';
import { packProject } from '../../../cli/pack.ts';
import { readRequirements } from '../../../core/build/requirements.ts';
import { listTree } from '../../../core/build/tree.ts';
import { unpack } from '../../../core/build/unpack.ts';
import { PlimsollError } from '../../../core/errors.ts';
import { loadProject } from '../../../core/project/project.ts';
import { planProject } from '../../../core/release/plan.ts';
import { PROJECT_LIMITS } from '../../../core/size/limits.ts';
import { sizeReport } from '../../../core/size/report.ts';
import { BASE, changed, type Files, writeProject } from '../../support/project.ts';

let outside: string;
const made: string[] = [];
beforeEach(async () => {
  outside = await mkdtemp(join(tmpdir(), 'plimsoll-outside-'));
  made.push(outside);
});
afterEach(async () => {
  for (const folder of made.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function project(files: Files = {}): Promise<string> {
  const root = await writeProject({ ...BASE, ...files });
  made.push(root);
  return root;
}

/** What a person reads of a project that is rejected. */
async function rejected(root: string): Promise<string> {
  const error = await loadProject(root).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(PlimsollError);
  expect(error).toMatchObject({ exitCode: 2 });
  return (error as Error).message;
}

/** Moves a part of the project out of it, and links to it. */
function moveOut(root: string, path: string): void {
  const to = join(outside, 'moved');
  renameSync(join(root, path), to);
  symlinkSync(to, join(root, path));
}

const options = (root: string) => ({
  project: root,
  verbose: false,
  layersOnly: false,
  clean: true,
  skipValidation: false,
  json: true,
});

describe('a build deletes nothing outside the project', () => {
  const cases: [link: string, precious: string][] = [
    ['.plimsoll', 'build/precious'],
    ['.plimsoll/build', 'precious'],
    ['.plimsoll/build/layers', 'utils/precious'],
    ['.plimsoll/build/functions/Hello', 'precious'],
  ];
  it.each(cases)('where %s is a link', async (link, precious) => {
    const root = await project();
    mkdirSync(join(outside, precious, '..'), { recursive: true });
    writeFileSync(join(outside, precious), '');
    mkdirSync(join(root, link, '..'), { recursive: true });
    symlinkSync(outside, join(root, link));
    await expect(build(options(root))).rejects.toThrow(
      `${link}: is a symbolic link; Plimsoll deletes and writes in a folder there. Remove or rename ${join(root, link)}.`,
    );
    expect(existsSync(join(outside, precious))).toBe(true);
  });

  it.each(['.plimsoll', '.plimsoll/build'])('and says so where %s is a file', async (path) => {
    const root = await project({ [path]: '' });
    await expect(build(options(root))).rejects.toThrow(`${path}: is a file; `);
  });
});

describe('what lies outside the project is rejected by name', () => {
  it.each([
    'template.yaml',
    'plimsoll.yaml',
    'functions',
    'functions/hello',
    'functions/hello/smoke',
    'functions/hello/smoke/you.json',
    'layers/utils',
    'layers/utils/requirements.txt',
  ])('%s', async (path) => {
    const root = await project();
    moveOut(root, path);
    const message = await rejected(root);
    expect(message).toContain(path);
    expect(message).toMatch(
      new RegExp(`leads out of the project through a symbolic link, to ${outside}/moved.* Put a copy`),
    );
  });

  it('a link to nothing', async () => {
    const root = await project();
    moveOut(root, 'layers/utils/requirements.txt');
    rmSync(join(outside, 'moved'));
    expect(await rejected(root)).toMatch(/^layers\/utils\/requirements.txt is a symbolic link to nothing\./);
  });

  it('but neither a link in the project nor a link to the project', async () => {
    const root = await project();
    renameSync(join(root, 'functions', 'hello'), join(root, 'code'));
    symlinkSync('../code', join(root, 'functions', 'hello'));
    symlinkSync(root, join(outside, 'project'));
    expect((await loadProject(join(outside, 'project'))).functions).toHaveLength(1);
  });
});

describe('links among the sources of a project', () => {
  const HANDLER = 'functions/hello/app.py';

  it('are followed alike by a build and by an upload, as long as they stay in the project', async () => {
    const root = await project({ 'common/shared.py': 'X = 1\n', 'common/deep/more.py': 'Y = 2\n' });
    symlinkSync('../../common/shared.py', join(root, 'functions/hello/shared.py'));
    symlinkSync(join(root, 'common'), join(root, 'functions/hello/common'));
    renameSync(join(root, HANDLER), join(root, 'app.py'));
    symlinkSync('../../app.py', join(root, HANDLER));
    const found = await loadProject(root);
    const [fn] = (await planProject(found)).functions;
    expect(fn?.sources.map(({ to }) => to)).toEqual([
      'app.py',
      'common/deep/more.py',
      'common/shared.py',
      'shared.py',
    ]);
    const uploaded = join(outside, 'uploaded');
    const { path } = await packProject(root, outside);
    await unpack(path, uploaded, 'project.zip', PROJECT_LIMITS);
    const [there] = (await planProject(await loadProject(uploaded))).functions;
    expect(there?.key).toBe(fn?.key);
  });

  it.each<[string, (link: string, root: string) => void, RegExp]>([
    [
      'to a file outside',
      (link) => symlinkSync('/etc/hostname', link),
      /leads out of the project .*, to \/etc\/hostname/,
    ],
    ['to a folder outside', (link) => symlinkSync('/etc', link), /leads out of the project .*, to \/etc\. /],
    ['to nothing', (link) => symlinkSync('gone.py', link), /is a symbolic link to nothing/],
    ['to itself', (link) => symlinkSync('link', link), /is a symbolic link to itself/],
    [
      'to a folder that holds it',
      (link) => symlinkSync('..', link),
      /is a symbolic link to .*, which holds the link/,
    ],
    [
      'to a folder that links back',
      (link, root) => {
        mkdirSync(join(root, 'other'));
        symlinkSync('../functions/hello', join(root, 'other', 'back'));
        symlinkSync('../../other', link);
      },
      /hello\/link\/back is a symbolic link to .*, which holds the link/,
    ],
  ])('%s are rejected by name before anything is built or uploaded', async (_, make, expected) => {
    const root = await project();
    make(join(root, 'functions/hello/link'), root);
    const message = await rejected(root);
    expect(message).toMatch(expected);
    expect(message).toMatch(/^functions\/hello\/link/);
  });

  it('are no obstacle where no artifact takes from them', async () => {
    const root = await project();
    symlinkSync('/etc', join(root, 'etc'));
    symlinkSync('gone', join(root, 'gone.txt'));
    symlinkSync('.', join(root, 'round'));
    await loadProject(root);
    const { path } = await packProject(root, outside);
    const names = await unpack(path, join(outside, 'uploaded'), 'project.zip', PROJECT_LIMITS);
    expect(names.filter((name) => /^(etc|gone|round)/.test(name))).toEqual([]);
    expect(names).toContain(HANDLER);
  });
});

const LATIN1 = Buffer.from('# one\n# caf\xe9\n', 'latin1');
const DEEP = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;

describe('text is UTF-8', () => {
  const files = ['template.yaml', 'plimsoll.yaml', 'functions/hello/smoke/you.json'];
  it.each([...files, 'layers/utils/requirements.txt'])('%s', async (path) => {
    const root = await project();
    const read = () =>
      path.endsWith('.txt') ? readRequirements(root, path).then(() => undefined) : loadProject(root);
    writeFileSync(join(root, path), LATIN1);
    await expect(read()).rejects.toThrow(`${path}:2: is not UTF-8. Save the file as UTF-8.`);
    writeFileSync(join(root, path), '\n\n\0');
    await expect(read()).rejects.toThrow(`${path}:3: holds a NUL character`);
    writeFileSync(join(root, path), `\ufeff${BASE[path]}`);
    await expect(read()).resolves.not.toThrow();
  });

  it.each(files)('%s nests no deeper than a parser can', async (path) => {
    const root = await project({ [path]: path.endsWith('.json') ? `{"event": ${DEEP}}` : `a: ${DEEP}` });
    expect(await rejected(root)).toBe(`${path}: nests maps and lists more than 100 deep. Make it flatter.`);
    const block = Array.from({ length: 101 }, (_, depth) => `${' '.repeat(depth)}a:\n`).join('');
    const json = `{"event": ${'['.repeat(101)}${']'.repeat(101)}}`;
    writeFileSync(join(root, path), path.endsWith('.json') ? json : `${block}${' '.repeat(101)}a: 1\n`);
    expect(await rejected(root)).toContain('more than 100 deep');
  });

  it('and so are the names of files', async () => {
    const root = await project();
    writeFileSync(Buffer.concat([Buffer.from(`${root}/functions/hello/caf`), Buffer.from([0xe9])]), '');
    expect(() => listTree(root)).toThrow(/functions\/hello\/caf.: the name is not UTF-8\. Rename the file\./);
  });
});

describe('names that JavaScript has already', () => {
  const named = (name: string): Files => ({
    'template.yaml': BASE['template.yaml']?.replace(/^ {2}Hello:/m, `  ${name}:`) ?? '',
  });

  it.each([
    ['__proto__', 'template.yaml: the key __proto__ in line 14 is not a name that AWS takes. Rename it.'],
    ['Say_Hello', 'a logical id has letters and digits only'],
    ['A'.repeat(256), 'a logical id has at most 255 characters'],
  ])('rejects the logical id %s', async (name, message) => {
    expect(await rejected(await project(named(name)))).toContain(message);
  });

  it.each(['a-b', 'A'.repeat(256)])('rejects the parameter %s', async (name) => {
    const files = changed('template.yaml', '  Greeting:', `  ${name}: { Type: String }\n  Greeting:`);
    expect(await rejected(await project(files))).toMatch(/Parameters\..*the name of a parameter has/);
  });

  it('rejects __proto__ in plimsoll.yaml and in a smoke event, and keeps it in what a function is given', async () => {
    expect(await rejected(await project({ 'plimsoll.yaml': '__proto__: 1\n' }))).toContain('line 1');
    const smoke = (text: string) => project({ 'functions/hello/smoke/you.json': text });
    expect(await rejected(await smoke('{"event": {}, "__proto__": 1}'))).toContain('__proto__');
    const { functions } = await loadProject(await smoke('{"event": {"__proto__": 1}}'));
    expect(JSON.stringify(functions[0]?.smoke[0]?.event)).toBe('{"__proto__":1}');
  });

  it.each(['constructor', 'toString'])('takes the logical id %s as any other', async (name) => {
    const { functions } = await loadProject(await project(named(name)));
    expect(functions.map(({ logicalId, layers }) => [logicalId, layers])).toEqual([[name, ['UtilsLayer']]]);
    const unknown = changed('template.yaml', 'Layers: [!Ref UtilsLayer]', `Layers: [!Ref ${name}]`);
    expect(await rejected(await project(unknown))).toContain(`!Ref ${name} names no resource`);
    const type = changed('template.yaml', '  Hello:\n', `  Other: { Type: ${name} }\n  Hello:\n`);
    expect((await loadProject(await project(type))).nested).toEqual([]);
  });

  it('has no budget for a layer named constructor where nobody gave one', () => {
    const plan = {
      functions: [],
      externals: [],
      budgets: { layers: {}, functions: {}, total: 100, coldStart: 1, byDefault: [] },
    };
    const report = sizeReport(plan, [{ kind: 'layer', name: 'constructor', zipped: 1, files: [] }]);
    expect(report.checks.filter(({ subject }) => subject.includes('constructor'))).toEqual([]);
  });
});

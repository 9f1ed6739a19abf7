import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readDependencies } from '../../../core/build/dependencies.ts';
import { linesOfLock, linesOfPipfileLock } from '../../../core/build/locks.ts';
import { resolveSets } from '../../../core/build/resolve.ts';
import { Wheels } from '../../../core/build/wheels.ts';
import { loadProject } from '../../../core/project/project.ts';
import { planProject } from '../../../core/release/plan.ts';
import { type Files, writeProject } from '../../support/project.ts';

const TEMPLATE = (metadata = '') => `Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties: { CodeUri: hello, Handler: app.handler, Runtime: python3.11 }
${metadata}`;
const UV = '    Metadata: { BuildMethod: python-uv }\n';
const BASE: Files = {
  'template.yaml': TEMPLATE(),
  'hello/app.py': 'def handler(event, context): pass\n',
};
const SIX_1_15 = 'sha256:8b74bedcbbbaca38ff6d7491d76f2b06b3592611af620f8426e82dddb04a5ced';
const IDNA_3_6 = 'sha256:c05567e9c24a6b9faaa835c4821bad0590fbb9d5779e7caa6e1cc4978e7eb24f';

const pinsOf = async (files: Readonly<Record<string, string>>) => {
  const wheels = new Wheels(await mkdtemp(join(tmpdir(), 'plimsoll-wheels-')));
  const { functions } = await planProject(
    await loadProject(await writeProject({ ...BASE, ...files })),
    (sets, target, held, preferred) => resolveSets(sets, target, held, preferred, wheels),
  );
  return functions[0]?.distributions.map(({ name, version, hashes }) => ({ name, version, hashes }));
};

const POETRY = `[tool.poetry]
name = "hello"
[tool.poetry.dependencies]
python = "^3.11"
python-dateutil = "^2.8"
win = { version = "*", optional = true }
[tool.poetry.group.dev.dependencies]
idna = "^3"
`;
const POETRY_LOCK = `[[package]]
name = "python-dateutil"
version = "2.8.2"
files = [
  {file = "python_dateutil-2.8.2-py2.py3-none-any.whl", hash = "sha256:961d03dc3453ebbc59dbdea9e4e11c5651520a876d0f4db161e8674aae935da9"},
  {file = "python-dateutil-2.8.2.tar.gz", hash = "sha256:0123cafeabb6b3b8b4a4a2e0f6d2a0a5a0dc2f6e8ba6c4ba2c5cd2a4b1e7a8f1"},
]
[package.dependencies]
six = ">=1.5"
[[package]]
name = "six"
version = "1.15.0"
files = [{file = "six-1.15.0-py2.py3-none-any.whl", hash = "${SIX_1_15}"}]
[[package]]
name = "idna"
version = "3.6"
files = [{file = "idna-3.6-py3-none-any.whl", hash = "${IDNA_3_6}"}]
[metadata]
lock-version = "2.0"
`;

describe('a poetry.lock', () => {
  it('is kept to, by version and hash, without what is for development', async () => {
    const pins = await pinsOf({ 'hello/pyproject.toml': POETRY, 'hello/poetry.lock': POETRY_LOCK });
    expect(pins).toEqual([
      {
        name: 'python-dateutil',
        version: '2.8.2',
        hashes: ['sha256:961d03dc3453ebbc59dbdea9e4e11c5651520a876d0f4db161e8674aae935da9'],
      },
      { name: 'six', version: '1.15.0', hashes: [SIX_1_15] },
    ]);
  });

  it('names git, extras and markers as the project has them', () => {
    const manifest = `[tool.poetry.dependencies]
python = "^3.11"
own = { git = "https://there/own.git", branch = "main" }
requests = { version = "^2", extras = ["socks"], markers = "sys_platform == 'linux'" }
`;
    const lock = `[[package]]
name = "own"
version = "1.0"
files = []
[package.source]
type = "git"
url = "https://there/own.git"
reference = "main"
resolved_reference = "0123456789012345678901234567890123456789"
[[package]]
name = "requests"
version = "2.31.0"
files = []
`;
    expect(linesOfLock(lock, manifest, { lock: 'poetry.lock', manifest: 'pyproject.toml' })).toEqual([
      "requests[socks] ; sys_platform == 'linux'",
      'own @ git+https://there/own.git@0123456789012345678901234567890123456789',
      '-c requests==2.31.0',
    ]);
  });

  it('of an older Poetry has its files apart', () => {
    const lock = `[[package]]\nname = "six"\nversion = "1.15.0"\n[metadata.files]\nsix = [{file = "x", hash = "sha256:aa"}]\n`;
    expect(
      linesOfLock(lock, '[tool.poetry.dependencies]\nsix = "*"\n', { lock: 'l', manifest: 'm' }),
    ).toEqual(['six', '-c six==1.15.0 --hash=sha256:aa']);
  });

  it.each([
    [
      'does not fit the project',
      '',
      /hello\/poetry\.lock: does not know python-dateutil, .*Lock the project anew/,
    ],
    ['is no TOML', '[[package', /hello\/poetry\.lock: /],
    ['is none', 'package = 3', /hello\/poetry\.lock: package: /],
  ])('is refused where it %s', async (_what, lock, problem) => {
    await expect(pinsOf({ 'hello/pyproject.toml': POETRY, 'hello/poetry.lock': lock })).rejects.toThrow(
      problem,
    );
  });
});

describe('a pdm.lock', () => {
  it('is kept to', async () => {
    const lock = `[metadata]
groups = ["default", "dev"]
lock_version = "4.5.0"
[[package]]
name = "six"
version = "1.15.0"
groups = ["default"]
files = [{file = "six-1.15.0-py2.py3-none-any.whl", hash = "${SIX_1_15}"}]
[[package]]
name = "idna"
version = "3.6"
groups = ["dev"]
files = [{file = "idna-3.6-py3-none-any.whl", hash = "${IDNA_3_6}"}]
`;
    expect(
      await pinsOf({
        'hello/pyproject.toml': '[project]\nname = "hello"\nversion = "1"\ndependencies = ["six>=1"]\n',
        'hello/pdm.lock': lock,
      }),
    ).toEqual([{ name: 'six', version: '1.15.0', hashes: [SIX_1_15] }]);
  });
});

describe('a Pipfile.lock', () => {
  const lock = JSON.stringify({
    default: {
      six: { version: '==1.15.0', hashes: [SIX_1_15], index: 'pypi' },
      colorama: { version: '==0.4.6', hashes: ['sha256:aa'], markers: "sys_platform == 'win32'" },
    },
    develop: { idna: { version: '==3.6', hashes: [IDNA_3_6] } },
  });
  it('is kept to, by version, hash and marker', async () => {
    expect(await pinsOf({ 'hello/Pipfile.lock': lock })).toEqual([
      { name: 'six', version: '1.15.0', hashes: [SIX_1_15] },
    ]);
  });
  it('may name git, files and extras', () => {
    const other = {
      default: {
        a: { git: 'https://there/a.git', ref: '0123', extras: ['x'] },
        b: { path: './b' },
        c: { file: 'https://there/c.whl' },
        d: { version: '*' },
      },
    };
    expect(linesOfPipfileLock(JSON.stringify(other), 'Pipfile.lock')).toEqual([
      'a[x] @ git+https://there/a.git@0123',
      './b',
      'c @ https://there/c.whl',
      'd',
    ]);
    expect(() => linesOfPipfileLock('{}', 'a/Pipfile.lock')).toThrow(/^a\/Pipfile\.lock: default: /);
  });
});

describe('uv', () => {
  const PROJECT =
    '[project]\nname = "hello"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["six==1.15.0", "libs"]\n[dependency-groups]\ndev = ["idna"]\n[tool.uv.sources]\nlibs = { path = "libs" }\n';
  const files: Files = {
    'hello/pyproject.toml': PROJECT,
    'hello/libs/pyproject.toml':
      '[project]\nname = "libs"\nversion = "2"\n[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n',
    'hello/libs/libs.py': 'X = 1\n',
  };
  async function locked(changes: Readonly<Record<string, string>> = {}): Promise<string> {
    const root = await writeProject({ ...BASE, ...files });
    execFileSync('uv', ['lock', '--quiet', '--project', join(root, 'hello')], { cwd: root });
    for (const [path, text] of Object.entries(changes)) await writeFile(join(root, path), text);
    return root;
  }

  it('has its own lock kept to, packages of the project included', async () => {
    const root = await locked();
    const { lines, remarks } = await readDependencies(root, 'hello/uv.lock');
    expect(remarks).toEqual([]);
    expect(
      lines.map((line) => line.replace(/(sha256:)\w+/g, '$1…').replace(/file:.*libs/, 'file:…libs')),
    ).toEqual(['file:…libs --contents=sha256:…', 'six==1.15.0 --hash=sha256:… --hash=sha256:…']);
    const project = await loadProject(root);
    expect(project.functions[0]?.requirements).toBe('hello/uv.lock');
  });

  it('is brought up to date in a copy where it does not fit the project, and that is said', async () => {
    const more = PROJECT.replace('"six==1.15.0"', '"six==1.15.0", "attrs==23.1.0"');
    const root = await locked({ 'hello/pyproject.toml': more });
    const before = await readFile(join(root, 'hello/uv.lock'), 'utf8');
    const { lines, remarks } = await readDependencies(root, 'hello/uv.lock');
    expect(lines.map((line) => line.split(' ')[0]).filter((line) => !line?.startsWith('file:'))).toEqual([
      'attrs==23.1.0',
      'six==1.15.0',
    ]);
    expect(await readFile(join(root, 'hello/uv.lock'), 'utf8')).toBe(before);
    expect(remarks).toEqual([expect.stringMatching(/^hello\/uv\.lock: .*Run: uv lock$/)]);
  });

  it('says in its own words what is wrong with a lock', async () => {
    const root = await locked({ 'hello/uv.lock': 'version = "none"\n' });
    await expect(readDependencies(root, 'hello/uv.lock')).rejects.toThrow(/^hello\/uv\.lock: .*uv\.lock/);
  });
});

describe('which file counts', () => {
  const nothing = '[project]\nname = "hello"\nversion = "1"\ndependencies = ["six==1.15.0"]\n';
  const chosen = async (files: Files) =>
    (await loadProject(await writeProject({ ...BASE, ...files }))).functions[0]?.requirements;
  it.each([
    ['requirements.txt before a lock', ['requirements.txt', 'poetry.lock', 'uv.lock'], 'requirements.txt'],
    ['a lock alone', ['pyproject.toml', 'Pipfile.lock'], 'Pipfile.lock'],
    ['no pyproject.toml by itself, as for sam build', ['pyproject.toml'], undefined],
  ])('%s', async (_what, names, name) => {
    const files = Object.fromEntries(
      names.map((one) => [`hello/${one}`, one === 'pyproject.toml' ? nothing : '']),
    );
    expect(await chosen(files)).toBe(name && `hello/${name}`);
  });
  it('pyproject.toml for BuildMethod python-uv', async () => {
    const files = {
      'template.yaml': TEMPLATE(UV),
      'hello/pyproject.toml': nothing,
      'hello/requirements.txt': 'idna',
    };
    expect(await chosen(files)).toBe('hello/pyproject.toml');
    expect(await pinsOf(files)).toMatchObject([{ name: 'six', version: '1.15.0' }]);
    expect(await chosen({ 'template.yaml': TEMPLATE(UV), 'hello/requirements.txt': '' })).toBe(
      'hello/requirements.txt',
    );
  });
});

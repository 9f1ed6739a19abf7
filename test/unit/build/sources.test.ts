import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { whyTooNew, withoutWheels } from '../../../core/build/explain-resolution.ts';
import { adoptIndexes } from '../../../core/build/indexes.ts';
import { rememberingResolver, resolveSets } from '../../../core/build/resolve.ts';
import { Wheels } from '../../../core/build/wheels.ts';
import { decidedPlan, Workspace, wheelsIn } from '../../../core/build/workspace.ts';
import { loadProject } from '../../../core/project/project.ts';
import { planProject } from '../../../core/release/plan.ts';
import { type Files, writeProject } from '../../support/project.ts';

const TARGET = { python: '3.11', architecture: 'x86_64' } as const;
const TEMPLATE = `Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties: { CodeUri: hello, Handler: app.handler, Runtime: python3.11, Layers: [!Ref Shared] }
  Shared:
    Type: AWS::Serverless::LayerVersion
    Properties: { ContentUri: shared }
    Metadata: { BuildMethod: python3.11 }
`;
const PACKAGE = (name: string, version: string, needs = '') =>
  `[project]\nname = "${name}"\nversion = "${version}"\ndependencies = [${needs}]\n[project.scripts]\n${name} = "${name}:main"\n[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n`;

let wheels: Wheels;
beforeAll(async () => {
  wheels = new Wheels(await mkdtemp(join(tmpdir(), 'plimsoll-wheels-')));
});
afterAll(() => rm(wheels.folder, { recursive: true, force: true }));

const resolve = (...lines: string[]) => resolveSets({ set: lines }, TARGET, [], [], wheels);

async function build(root: string) {
  const work = join(root, '.plimsoll');
  const project = await loadProject(root);
  await adoptIndexes(root, project.requirementFiles);
  const planned = await planProject(
    project,
    rememberingResolver(join(work, 'resolutions'), new Wheels(wheelsIn(work))),
  );
  const { plan, units } = await decidedPlan(root, planned, work, () => {});
  const workspace = new Workspace(root, plan, work, { step: () => {}, done: () => {} }, units);
  await workspace.layers();
  await workspace.functions();
  return { plan, work, artifact: (name: string) => workspace.artifacts.get(name) };
}

describe('what has no wheel', () => {
  it('is built from its sources, once, and pinned by its own hash', async () => {
    const [docopt] = await resolve('docopt==0.6.2');
    expect(docopt).toMatchObject({ name: 'docopt', version: '0.6.2', made: { of: 'its sources' } });
    expect(docopt?.hashes).toEqual([`sha256:${docopt?.made?.sha256}`]);
    expect(await resolve('docopt==0.6.2')).toEqual([docopt]);
    // The same bytes elsewhere and later.
    const elsewhere = new Wheels(await mkdtemp(join(wheels.folder, 'elsewhere-')));
    expect(await resolveSets({ set: ['docopt'] }, TARGET, [], [], elsewhere)).toEqual([docopt]);
  });

  it('must have the hash that the requirements name', async () => {
    const wrong = `docopt==0.6.2 --hash=sha256:${'0'.repeat(64)}`;
    await expect(resolve(wrong)).rejects.toThrow(/docopt==0\.6\.2.*[Hh]ash/);
    const right =
      'docopt==0.6.2 --hash=sha256:49b3a825280bd66b3aa83585ef59c4a8c82f2c8a522dbe754a8bc8d08c85c491';
    expect(await resolve(right)).toMatchObject([{ name: 'docopt' }]);
  });

  it('is taken where a layer below has it, and not built again', async () => {
    const held = await resolve('docopt==0.6.2', 'six==1.16.0');
    const found = await resolveSets({ fn: ['docopt', 'idna==3.7'] }, TARGET, held, [], wheels);
    expect(found.map(({ name, version }) => `${name} ${version}`)).toEqual(['docopt 0.6.2', 'idna 3.7']);
    expect(found[0]?.made).toMatchObject({ sha256: held[0]?.made?.sha256 });
  });

  it('is not built where nobody gave it a place', async () => {
    await expect(resolveSets({ set: ['docopt==0.6.2'] }, TARGET)).rejects.toThrow(/no usable wheels/);
  });
});

describe('packages of the project', () => {
  const OWN: Files = {
    'template.yaml': TEMPLATE,
    'hello/app.py':
      'import own, old, gitted, six\ndef handler(event, context): return [own.X, old.X, gitted.X]\n',
    'hello/smoke/one.json': '{"event": {}, "expect": [1, 2, 3]}',
    'libs/own/pyproject.toml': PACKAGE('own', '1.0', '"six==1.16.0"'),
    'libs/own/own/__init__.py': 'X = 1\n\n\ndef main(): pass\n',
    'libs/own/own/data/list.txt': 'kept\n',
    'libs/own/MANIFEST.in': 'include own/data/list.txt\n',
    'libs/old/setup.py':
      'from setuptools import setup\nsetup(name="old", version="0.2", py_modules=["old"])\n',
    'libs/old/old.py': 'X = 2\n',
    'shared/requirements.txt': '-e ../libs/old\n',
  };

  it('are built into wheels: folders, git, of today and of setup.py; sources stay as they are', async () => {
    const git = await writeProject({
      'pkg/pyproject.toml': PACKAGE('gitted', '3.0'),
      'pkg/gitted.py': 'X = 3\n\n\ndef main(): pass\n',
    });
    const run = (...args: string[]) => execFileSync('git', ['-C', git, ...args], { encoding: 'utf8' }).trim();
    run('init', '--quiet');
    run('add', '.');
    run('-c', 'user.name=a', '-c', 'user.email=a@b.c', 'commit', '--quiet', '-m', 'one');
    const commit = run('rev-parse', 'HEAD');
    const root = await writeProject({
      ...OWN,
      'hello/requirements.txt': `../libs/own\ngit+file://${git}@${commit}#subdirectory=pkg\n`,
    });
    const { artifact, plan } = await build(root);
    expect(plan.layers[0]?.distributions).toMatchObject([
      { name: 'old', version: '0.2', made: { of: 'old' } },
    ]);
    expect(
      artifact('Hello')?.manifest.distributions.map(({ name, version }) => `${name} ${version}`),
    ).toEqual(['gitted 3.0', 'own 1.0', 'six 1.16.0']);
    const tree = join(artifact('Hello')?.folder ?? '', 'tree');
    expect(await readdir(tree)).not.toContain('bin');
    expect(await readdir(join(tree, 'own'))).toContain('data');
    expect(artifact('Hello')?.manifest.notes).toContain('function Hello: own 1.0 was built from own');
    expect((await readdir(join(root, 'libs/own'))).sort()).toEqual(['MANIFEST.in', 'own', 'pyproject.toml']);
    expect((await readdir(join(root, 'libs/old'))).sort()).toEqual(['old.py', 'setup.py']);
  });

  it('are built anew when they have changed', async () => {
    const files = {
      ...OWN,
      'hello/requirements.txt': '../libs/own\n',
      'hello/app.py': 'import own\ndef handler(event, context): return own.X\n',
      'hello/smoke/one.json': '{"event": {}}',
    };
    const keyOf = async (changes: Files) => {
      const planned = await planProject(
        await loadProject(await writeProject({ ...files, ...changes })),
        (sets, target, held, preferred) => resolveSets(sets, target, held, preferred, wheels),
      );
      return planned.functions[0]?.key;
    };
    const before = await keyOf({});
    expect(await keyOf({})).toBe(before);
    expect(await keyOf({ 'libs/own/own/__init__.py': 'X = 9\n\n\ndef main(): pass\n' })).not.toBe(before);
  });

  it('may lie there as wheels and archives', async () => {
    const [wheel] = await resolve('six==1.16.0');
    expect(wheel?.made).toBeUndefined();
    const [docopt] = await resolve('docopt==0.6.2');
    const place = pathToFileURL(
      join(wheels.folder, docopt?.made?.sha256 ?? '', docopt?.made?.file ?? ''),
    ).href;
    const [again] = await resolve(`${place} --contents=sha256:${docopt?.made?.sha256}`);
    expect(again).toMatchObject({ name: 'docopt', version: '0.6.2', hashes: docopt?.hashes });
  });

  it('say what is wrong when they cannot be built', async () => {
    const root = await writeProject({ 'libs/bad/setup.py': 'raise SystemExit("needs a compiler")\n' });
    const address = pathToFileURL(join(root, 'libs/bad')).href;
    await expect(resolve(`${address} --contents=sha256:${'1'.repeat(64)}`)).rejects.toThrow(
      /^cannot build bad for Python 3\.11 on x86_64: .*needs a compiler/,
    );
  });
});

describe('native code without a wheel', () => {
  const files = {
    'setup.py':
      'from setuptools import Extension, setup\nsetup(name="native", version="1.0", ext_modules=[Extension("native", ["native.c"])])\n',
    'native.c':
      '#include <Python.h>\nstatic struct PyModuleDef m = {PyModuleDef_HEAD_INIT, "native", 0, -1, 0};\nPyMODINIT_FUNC PyInit_native(void) { return PyModule_Create(&m); }\n',
  };
  const hasCompiler = ['/usr/bin/cc', '/usr/bin/gcc'].some(existsSync);
  it('is built for this machine, where Lambda can load it, and for no other', async ({ skip }) => {
    skip(!hasCompiler, 'no C compiler on this machine');
    const address = pathToFileURL(await writeProject(files)).href;
    const line = `native @ ${address} --contents=sha256:${'2'.repeat(64)}`;
    const [native] = await resolve(line);
    expect(native?.made?.file).toMatch(/^native-1\.0-cp311-cp311-manylinux_2_17_x86_64\.whl$/);
    const arm = { python: '3.11', architecture: 'arm64' } as const;
    await expect(resolveSets({ set: [line] }, arm, [], [], wheels)).rejects.toThrow(/arm64/);
  });
});

describe('what uv says of wheels', () => {
  // As uv 0.13 prints it.
  const stderr = `  × No solution found when resolving dependencies:
  ╰─▶ Because lightgbm==4.6.0 has no wheels with a matching platform tag (e.g., \`manylinux_2_17_x86_64\`) and you require lightgbm==4.6.0, we can conclude that your requirements are unsatisfiable.

hint: Wheels are required for \`lightgbm\` because building from source is disabled for all packages (i.e., with \`--no-build\`)
hint: Wheels are available for \`lightgbm\` (v4.6.0) on the following platforms: \`manylinux_2_28_x86_64\`, \`manylinux_2_31_aarch64\`, \`win_amd64\`
`;
  it('names what has none', () => {
    expect(withoutWheels(stderr)).toEqual(['lightgbm']);
  });
  it('is told with what Lambda has, where it is too new for it', () => {
    expect(whyTooNew(stderr, TARGET)).toBe(
      'lightgbm 4.6.0 has wheels for glibc 2.28 and newer; python3.11 on Lambda has 2.26\n  Take python3.12, or lightgbm<4.6.0.',
    );
    expect(whyTooNew(stderr, { python: '3.11', architecture: 'arm64' })).toContain('glibc 2.31');
    expect(whyTooNew(stderr, { python: '3.12', architecture: 'x86_64' })).toBeUndefined();
    expect(whyTooNew('', TARGET)).toBeUndefined();
  });
});

describe('a private index', () => {
  it('is asked with its credentials, which stand in nothing that the build writes', async () => {
    const [docopt] = await resolve('docopt==0.6.2');
    const bytes = await readFile(join(wheels.folder, docopt?.made?.sha256 ?? '', docopt?.made?.file ?? ''));
    const asked: string[] = [];
    const server = createServer((request, answer) => {
      asked.push(request.headers.authorization ?? 'nobody');
      if (request.headers.authorization !== `Basic ${Buffer.from('me:s3cret-token').toString('base64')}`) {
        answer.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      } else if (request.url === '/simple/private-docopt/' || request.url === '/simple/docopt/')
        answer
          .writeHead(200, { 'content-type': 'text/html' })
          .end(`<a href="/files/${docopt?.made?.file}">${docopt?.made?.file}</a>`);
      else if (request.url?.startsWith('/files/')) answer.writeHead(200).end(bytes);
      else answer.writeHead(404).end();
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const { port } = server.address() as { port: number };
    const before = { ...process.env };
    process.env['TOKEN'] = 's3cret-token';
    try {
      const root = await writeProject({
        'template.yaml': TEMPLATE.replace(', Layers: [!Ref Shared]', '').replace(/ {2}Shared:[\s\S]*/, ''),
        'hello/app.py': 'import docopt\ndef handler(event, context): return docopt.__version__\n',
        'hello/requirements.txt': `--index-url http://me:\${TOKEN}@127.0.0.1:${port}/simple\ndocopt==0.6.2\n`,
        'hello/smoke/one.json': '{"event": {}, "expect": "0.6.2"}',
      });
      const { artifact, work } = await build(root);
      expect(artifact('Hello')?.manifest.distributions.map(({ name }) => name)).toEqual(['docopt']);
      expect(asked.some((one) => one.startsWith('Basic '))).toBe(true);
      const leaks = execFileSync('sh', ['-c', `grep -rl "s3cret" "${work}" || true`], { encoding: 'utf8' });
      expect(leaks).toBe('');
      process.env['TOKEN'] = 'wr0ng-token';

      await rm(work, { recursive: true });
      const problem = await build(root).catch((error: Error) => error);
      expect(problem).toBeInstanceOf(Error);
      expect(String(problem)).not.toContain('wr0ng');
    } finally {
      for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
      Object.assign(process.env, before);
      server.close();
    }
  });
});

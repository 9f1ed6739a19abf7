import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ArtifactSpec, buildArtifact } from '../../../core/build/artifact.ts';
import { install } from '../../../core/build/install.ts';
import { type Distribution, resolveSets } from '../../../core/build/resolve.ts';
import { listTree } from '../../../core/build/tree.ts';
import { findPython } from '../../../core/build/uv.ts';
import { ImportCheckError, InstallError } from '../../../core/errors.ts';

const TARGET = { python: '3.11', architecture: 'x86_64' } as const;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plimsoll-artifact-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const newFolder = async (name: string) => {
  await mkdir(join(folder, name), { recursive: true });
  return join(folder, name);
};

const spec = (distributions: Distribution[], more: Partial<ArtifactSpec> = {}): ArtifactSpec => ({
  kind: 'layer',
  name: 'utils',
  key: '0'.repeat(64),
  target: TARGET,
  distributions,
  libraries: 'python',
  mount: '/opt',
  sources: [],
  decisions: { remove: [], fetchable: [], compact: [], docstrings: true, sources: [], lazy: {}, steps: [] },
  modules: [],
  beside: [],
  runtimes: join(folder, 'runtimes'),
  wheels: join(folder, 'wheels'),
  ...more,
});

const resolve = (...requirements: string[]) => resolveSets({ set: requirements }, TARGET);

async function python(paths: string[], code: string): Promise<string> {
  const interpreter = await findPython('3.11', folder);
  const program = `import sys; sys.path[:0] = ${JSON.stringify(paths)}\n${code}`;
  return (await promisify(execFile)(interpreter, ['-I', '-S', '-B', '-c', program])).stdout.trim();
}

async function contentsOf(tree: string): Promise<Map<string, string>> {
  const files = listTree(tree).filter(({ path }) => !path.endsWith('.dist-info/RECORD'));
  return new Map(
    await Promise.all(
      files.map(async ({ path }) => [path, (await readFile(join(tree, path))).toString('base64')] as const),
    ),
  );
}

describe('a built layer', () => {
  it('has the same bytes each time, bytecode included', async () => {
    const distributions = await resolve('python-dateutil==2.8.2', 'attrs==23.1.0');
    const first = await buildArtifact(spec(distributions), await newFolder('one'));
    const second = await buildArtifact(spec(distributions), await newFolder('two'));
    expect(second.manifest.zip).toEqual(first.manifest.zip);
    expect(await readFile(second.zip)).toEqual(await readFile(first.zip));
  });

  it('ships valid unchecked-hash bytecode in place of the sources of packages, and tracebacks still name file and line', async () => {
    const built = await buildArtifact(spec(await resolve('six==1.16.0')), await newFolder('six'));
    const files = listTree(built.tree).map(({ path }) => path);
    expect(files).toContain('python/six.pyc');
    expect(files.filter((path) => path.endsWith('.py'))).toEqual([]);
    // Flags of a pyc: 1 is hash-based, 3 is hash-based and checked (PEP 552).
    expect((await readFile(join(built.tree, 'python/six.pyc'))).readUInt32LE(4)).toBe(1);
    const code =
      'import six, traceback\ntry: six.ensure_str(1)\nexcept TypeError: print(traceback.format_exc())';
    expect(await python([join(built.tree, 'python')], code)).toMatch(
      /File "\/opt\/python\/six\.py", line \d+, in ensure_str/,
    );
  });

  it('has a manifest that says what is in it, what was removed, and how long its imports take', async () => {
    const { manifest, tree } = await buildArtifact(
      spec(await resolve('numpy==1.24.3')),
      await newFolder('numpy'),
    );
    const files = listTree(tree);
    expect(manifest.files).toEqual(files.map(({ path, bytes }) => [path, bytes]));
    expect(manifest.bytes).toBe(files.reduce((sum, { bytes }) => sum + bytes, 0));
    expect(manifest.imports).toMatchObject([{ module: 'numpy', ms: expect.any(Number) }]);
    expect(manifest.distributions).toMatchObject([{ name: 'numpy', version: '1.24.3' }]);
  });

  it('of another architecture is built and says that its imports were not checked', async () => {
    const target = { python: '3.11', architecture: 'arm64' } as const;
    const distributions = await resolveSets({ set: ['numpy==1.24.3'] }, target);
    const { manifest, tree } = await buildArtifact(spec(distributions, { target }), await newFolder('arm'));
    const names = listTree(tree).map(({ path }) => path);
    expect(names.some((path) => path.includes('aarch64'))).toBe(true);
    expect(names.some((path) => path.includes('x86_64'))).toBe(false);
    expect(manifest.modules).toContain('numpy');
    expect(manifest.imports).toEqual([]);
    expect(manifest.notes[0]).toMatch(/imports not checked/);
  });
});

describe('what the optimiser has decided', () => {
  const decided = {
    remove: ['attr/py.typed'],
    fetchable: [],
    compact: [],
    docstrings: false,
    sources: ['attr/_cmp.py'],
    steps: [],
    lazy: {},
  };

  it('is done to the tree: files gone, docstrings gone, sources kept where something reads them', async () => {
    const distributions = await resolve('attrs==23.1.0');
    const built = await buildArtifact(
      spec(distributions, { decisions: decided }),
      await newFolder('decided'),
    );
    const files = listTree(built.tree).map(({ path }) => path);
    expect(files.filter((path) => path.includes('attr/py.typed'))).toEqual([]);
    expect(files.filter((path) => path.endsWith('.py'))).toEqual(['python/attr/_cmp.py']);
    expect(files).toContain('python/attr/__pycache__/_cmp.cpython-311.pyc');
    const code =
      'import attr, attr._cmp\nprint(repr(attr.define.__doc__), bool(attr._cmp.cmp_using.__doc__))';
    expect(await python([join(built.tree, 'python')], code)).toBe("'' True");
  });
});

describe('the cache that all projects share', () => {
  it('stays as it is, whatever a build puts in the place of installed files', async () => {
    const distributions = await resolve('attrs==23.1.0', 'kiwisolver==1.4.5');
    const pristine = await install(distributions, join(folder, 'pristine'), TARGET).then(() =>
      contentsOf(join(folder, 'pristine')),
    );
    const [solver = ''] = [...pristine.keys()].filter((path) => path.endsWith('.so'));
    await writeFile(join(folder, 'mine'), 'mine');
    const decisions = { ...spec([]).decisions, compact: [solver] };
    const sources = [{ from: join(folder, 'mine'), to: 'python/attr/py.typed' }];
    const built = await buildArtifact(spec(distributions, { decisions, sources }), await newFolder('built'));
    expect((await readFile(join(built.tree, 'python', solver))).length).toBeLessThan(
      pristine.get(solver)?.length ?? 0,
    );
    expect(await readFile(join(built.tree, 'python/attr/py.typed'), 'utf8')).toBe('mine');
    await install(distributions, join(folder, 'again'), TARGET);
    expect(await contentsOf(join(folder, 'again'))).toEqual(pristine);
  });
});

describe('a harmful change is caught', () => {
  it('when a distribution lacks what it imports, though the machine has it', async () => {
    const [jinja] = (await resolve('jinja2==3.1.4')).filter(({ name }) => name === 'jinja2');
    const failed = buildArtifact(
      spec(jinja ? [jinja] : [], { modules: ['jinja2'] }),
      await newFolder('lacks'),
    );
    await expect(failed).rejects.toThrow(ImportCheckError);
    await expect(failed).rejects.toThrow(/jinja2: .*No module named 'markupsafe'/);
  });

  it('when a hash is not the one that was resolved', async () => {
    const [six] = await resolve('six==1.16.0');
    const forged = { name: 'six', version: '1.16.0', via: [], hashes: [`sha256:${'0'.repeat(64)}`] };
    expect(six).toBeDefined();
    const failed = buildArtifact(spec([forged]), await newFolder('forged'));
    await expect(failed).rejects.toThrow(InstallError);
    await expect(failed).rejects.toThrow(/six==1\.16\.0.*[Hh]ash/s);
  });

  it("when the function's own module does not import", async () => {
    await writeFile(join(folder, 'app.py'), 'import six\nimport nothing_like_this\n');
    const sources = [{ from: join(folder, 'app.py'), to: 'app.py' }];
    const fn = spec(await resolve('six==1.16.0'), {
      kind: 'function',
      libraries: '',
      mount: '/var/task',
      sources,
      modules: ['app'],
    });
    await expect(buildArtifact(fn, await newFolder('fn'))).rejects.toThrow(
      /app: ModuleNotFoundError: No module named 'nothing_like_this'/,
    );
  });

  it('when a module kills its interpreter', async () => {
    await writeFile(join(folder, 'app.py'), 'import os\nos._exit(7)\n');
    const sources = [{ from: join(folder, 'app.py'), to: 'app.py' }];
    const fn = spec([], { kind: 'function', libraries: '', mount: '/var/task', sources, modules: ['app'] });
    await expect(buildArtifact(fn, await newFolder('dies'))).rejects.toThrow(
      /app: the interpreter ended with code 7/,
    );
  });
});

describe('a function', () => {
  it('keeps the sources of the project beside their bytecode', async () => {
    await writeFile(join(folder, 'app.py'), 'VALUE = 1\n');
    const sources = [{ from: join(folder, 'app.py'), to: 'app.py' }];
    const { tree } = await buildArtifact(
      spec([], { kind: 'function', libraries: '', mount: '/var/task', sources, modules: ['app'] }),
      await newFolder('own'),
    );
    expect(listTree(tree).map(({ path }) => path)).toEqual(['__pycache__/app.cpython-311.pyc', 'app.py']);
  });
});

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { beside, compileFiles, sourceless, sourceOf } from '../../../core/build/bytecode.ts';
import { install } from '../../../core/build/install.ts';
import { resolveSets } from '../../../core/build/resolve.ts';
import { listTree } from '../../../core/build/tree.ts';
import { findPython } from '../../../core/build/uv.ts';

const TARGET = { python: '3.11', architecture: 'x86_64' } as const;
let folder: string;
let interpreter: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plimsoll-bytecode-'));
  interpreter = await findPython('3.11', folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function compile(tree: string, paths: readonly string[], out: string) {
  return compileFiles({
    interpreter,
    tree,
    out: join(folder, out),
    prefix: '/opt/python',
    hook: '\nimport os as _hook\n',
    imports: true,
    columns: false,
    files: paths.map((path) => {
      return { path, to: sourceless(path), docstrings: false, hook: path === 'p/__init__.py' };
    }),
  });
}

async function write(name: string, files: Record<string, string>): Promise<string> {
  const root = join(folder, name);
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return root;
}

describe('the compiler', () => {
  it('skips what does not compile, and fails where it cannot write', async () => {
    const tree = await write('unwritable', {
      'good.py': 'x = 1\n',
      'bad.py': 'x =\n',
      'deep.py': `x = ${'-'.repeat(90_000)}1\n`,
    });
    const compiled = await compile(tree, ['good.py', 'bad.py', 'deep.py'], 'writable');
    expect(compiled.get('good.py')).toHaveProperty('bytes');
    expect(compiled.get('bad.py')).toHaveProperty('skipped');
    expect(compiled.get('deep.py')).toHaveProperty('skipped');
    await mkdir(join(folder, 'full', 'good.pyc'), { recursive: true });
    await expect(compile(tree, ['good.py', 'bad.py'], 'full')).rejects.toThrow(
      `[Errno 21] Is a directory: '${join(folder, 'full', 'good.pyc')}'`,
    );
  });

  it('gives the same bytes for a file whatever is compiled before it, and beside it', async () => {
    const tree = join(folder, 'real');
    await install(
      await resolveSets({ set: ['python-dateutil==2.8.2', 'attrs==23.1.0'] }, TARGET),
      tree,
      TARGET,
    );
    const paths = listTree(tree).flatMap(({ path }) => (path.endsWith('.py') ? [path] : []));
    await compile(tree, paths, 'all');
    const whole = await Promise.all(paths.map((path) => readFile(join(folder, 'all', sourceless(path)))));
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(paths, { minLength: 1 }), async (some) => {
        await compile(tree, some, 'some');
        for (const path of some)
          expect(await readFile(join(folder, 'some', sourceless(path)))).toEqual(whole[paths.indexOf(path)]);
      }),
      { numRuns: 8 },
    );
  });

  it('says what a module imports, now and later, and leaves out what only type checkers see', async () => {
    const tree = await write('imports', {
      'p/__init__.py':
        'import a.b\nfrom . import c\ntry:\n    import d\nexcept ImportError:\n    from .e import f\nif TYPE_CHECKING:\n    import g\nelse:\n    import h\nclass K:\n    import i\n    def m(self):\n        from ..q import j\n        with open("x"):\n            import k\nmatch 1:\n    case 1:\n        import l\n',
      'p/s/t.py': 'from .. import u\nasync def f():\n    import v\n',
    });
    const compiled = await compile(tree, ['p/__init__.py', 'p/s/t.py'], 'imports-out');
    expect(compiled.get('p/__init__.py')).toMatchObject({
      now: ['a.b', 'd', 'h', 'i', 'l', 'os', 'p', 'p.c', 'p.e', 'p.e.f'],
      later: ['k', 'q', 'q.j'],
    });
    expect(compiled.get('p/s/t.py')).toMatchObject({ now: ['p', 'p.u'], later: ['v'] });
  });

  it('says why a file does not compile, and compiles the others', async () => {
    const tree = await write('broken', {
      'a.py': 'x = = 1',
      'b.py': 'x = 1',
      'c.py': '# coding: nonsense\n',
      'd.py': 'x = "\0"',
    });
    const compiled = await compile(tree, ['a.py', 'b.py', 'c.py', 'd.py'], 'broken-out');
    const skipped = [...compiled].flatMap(([path, result]) => ('skipped' in result ? [path] : []));
    expect(skipped.sort()).toEqual(['a.py', 'c.py', 'd.py']);
    expect(compiled.get('a.py')).toMatchObject({ skipped: expect.stringContaining('invalid syntax') });
  });

  it('takes expressions that are deeper than the syntax tree can be', async () => {
    const tree = await write('deep', { 'a.py': `x = ${'1 + '.repeat(3000)}1\n` });
    const compiled = await compile(tree, ['a.py'], 'deep-out');
    expect(JSON.stringify(compiled.get('a.py'))).toMatch(/"bytes"|"skipped"/);
  });
});

describe('names of bytecode', () => {
  it('lead back to the source', () => {
    const name = fc.stringMatching(/^[a-z_]{1,8}$/);
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 4 }), (parts) => {
        const path = `${parts.join('/')}.py`;
        expect(sourceOf(sourceless(path))).toBe(path);
        expect(sourceOf(beside(path, '3.11'))).toBe(path);
        expect(sourceOf(path)).toBe(path);
      }),
    );
  });
});

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compileFiles, sourceless } from '../../../core/build/bytecode.ts';
import { findPython } from '../../../core/build/uv.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plimsoll-lazy-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Compiles files with imports deferred, all lines unless told, and runs a program beside nothing but the bytecode. */
async function run(
  files: Record<string, string>,
  program: string,
  lazy: Record<string, { lines: number[]; submodules?: string[] }>,
): Promise<{ deferred: Record<string, number[]>; output: string }> {
  const tree = join(folder, 'tree');
  const out = join(folder, 'out');
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(tree, path)), { recursive: true });
    await writeFile(join(tree, path), text);
  }
  const interpreter = await findPython('3.11', folder);
  const compiled = await compileFiles({
    interpreter,
    tree,
    out,
    prefix: '/opt/python',
    hook: '',
    columns: false,
    imports: false,
    files: Object.keys(files).map((path) => {
      const own = lazy[path];
      const wanted = own ? { lazy: { lines: own.lines, submodules: own.submodules ?? [] } } : {};
      return { path, to: sourceless(path), docstrings: true, hook: false, ...wanted };
    }),
  });
  const code = `import sys; sys.path[:0] = [${JSON.stringify(out)}]\n${program}`;
  const { stdout } = await promisify(execFile)(interpreter, ['-I', '-S', '-B', '-c', code]);
  const deferred = [...compiled].flatMap(([path, one]) =>
    'deferred' in one && one.deferred.length > 0 ? [[path, one.deferred] as const] : [],
  );
  return { deferred: Object.fromEntries(deferred), output: stdout.trim() };
}

/** Which of ten lines of a module are deferred when all are asked for. */
async function deferrable(source: string): Promise<number[]> {
  const lines = Array.from({ length: 20 }, (_, index) => index + 1);
  const { deferred } = await run({ 'm.py': source }, '', { 'm.py': { lines } });
  return deferred['m.py'] ?? [];
}

describe('a deferred import', () => {
  it('is made by the first function that uses it, once, and lines stay where they are', async () => {
    const { output, deferred } = await run(
      {
        'heavy.py': 'import sys\nsys.loads = getattr(sys, "loads", 0) + 1\nVALUE = 7\nclass Thing: pass\n',
        'm.py': `"""Doc."""
from __future__ import annotations
from heavy import VALUE, Thing as T
def plain(): return VALUE
def nested():
    "Doc."
    return [one for one in [lambda: VALUE]][0]()
class K:
    def method(self) -> T: return T()
def generator():
    yield VALUE
async def later(): return VALUE
def fails(): raise ValueError(VALUE)
`,
      },
      `import m, traceback
print("heavy" in sys.modules, m.__doc__, m.nested.__doc__)
print(m.nested(), m.plain(), next(m.generator()), type(m.K().method()).__name__, sys.loads)
try: m.fails()
except ValueError as error: print(traceback.extract_tb(error.__traceback__)[-1].lineno)`,
      { 'm.py': { lines: [3] } },
    );
    expect(deferred).toEqual({ 'm.py': [3] });
    expect(output).toBe('False Doc. Doc.\n7 7 7 Thing 1\n13');
  });

  it('is made for whoever asks the module for its names from outside, in a circle of imports, too', async () => {
    const { output } = await run(
      {
        'heavy.py': 'VALUE = 7\n',
        'm.py': 'from heavy import VALUE\nimport other\ndef f(): return VALUE\n',
        'other.py': 'from m import VALUE as SAME\n',
      },
      'import m, other\nprint(other.SAME, m.VALUE, hasattr(m, "never"))\nfrom m import VALUE; print(VALUE)',
      { 'm.py': { lines: [1] } },
    );
    expect(output).toBe('7 7 False\n7');
  });

  it('leaves no gap where others rely on what it loads along: the package loads it when it is asked for', async () => {
    const files = {
      'p/__init__.py': 'from . import a\n',
      'p/a.py': 'import p.b\ndef f(): return p.b.X\n',
      'p/b.py': 'X = 1\n',
    };
    const lazy = { 'p/a.py': { lines: [1] }, 'p/__init__.py': { lines: [], submodules: ['b'] } };
    expect((await run(files, 'import p; print("p.b" in sys.modules, p.b.X)', lazy)).output).toBe('False 1');
    expect((await run(files, 'import p; print(p.a.f())', lazy)).output).toBe('1');
  });

  it('may be a module within a package whose name is bound anyway', async () => {
    const { output, deferred } = await run(
      {
        'p/__init__.py': 'VERSION = "1"\n',
        'p/b.py': 'X = 1\n',
        'm.py': 'import p\nimport p.b\nNOW = p.VERSION\ndef f(): return p.b.X\n',
      },
      'import m; print(m.NOW, "p.b" in sys.modules, m.f())',
      { 'm.py': { lines: [1, 2] } },
    );
    expect(deferred).toEqual({ 'm.py': [2] });
    expect(output).toBe('1 False 1');
  });
});

describe('an import stays where it is', () => {
  it.each([
    ['its name is used when the module is loaded', 'import json\nX = json.dumps(1)\ndef f(): json\n'],
    ['a default, a decorator or a base needs it', 'import abc\nclass A(abc.ABC): pass\ndef f(): abc\n'],
    ['a default needs it', 'import os\ndef f(x=os.sep): os\n'],
    ['an annotation is evaluated', 'import os\ndef f(x: os.PathLike): os\n'],
    ['a lambda or a comprehension of the module needs it', 'import os\nf = lambda: os\ndef g(): os\n'],
    ['the body of a class needs it', 'import os\nclass A:\n    x = os.sep\n    def f(self): os\n'],
    ['it is bound again', 'import os\nos = 1\ndef f(): os\n'],
    ['a function binds it again', 'import os\ndef f():\n    global os\n    os = 1\ndef g(): os\n'],
    ['nothing here uses it: it may be there for its effects', 'import os\ndef f(): pass\n'],
    ['it stands in a try', 'try:\n    import os\nexcept ImportError:\n    os = None\ndef f(): os\n'],
    ['it binds whatever there is', 'from os import *\ndef f(): sep\n'],
    ['the module looks at its namespace', 'import os\ndef f(): return globals(), os\n'],
    [
      'the module answers for its attributes itself',
      'import os\ndef f(): os\ndef __getattr__(name): return 1\n',
    ],
    ['it comes from the future', 'from __future__ import annotations\ndef f(): annotations\n'],
  ])('where %s', async (_, source) => {
    expect(await deferrable(source)).toEqual([]);
  });

  it('and a parameter or a variable of the same name is not its use', async () => {
    expect(
      await deferrable('import os\ndef f(os): return os\ndef g():\n    os = 1\n    return os\n'),
    ).toEqual([]);
    expect(await deferrable('import os\ndef f(os): return os\ndef g(): return os.sep\n')).toEqual([1]);
  });
});

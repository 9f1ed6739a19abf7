import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compileFiles, type Lazy, sourceless } from '../../../core/build/bytecode.ts';
import { findPython } from '../../../core/build/uv.ts';
import { setLazyRuntime } from '../../../core/optimise/finder.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plimsoll-lazy-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Compiles files with imports deferred, all lines unless told, and runs a program beside nothing but the bytecode. */
async function run(
  files: Record<string, string>,
  program: string,
  lazy: Record<string, Partial<Lazy>>,
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
      const wanted = own ? { lazy: { lines: [], seen: [], hidden: [], outside: {}, ...own } } : {};
      return { path, to: sourceless(path), docstrings: true, hook: false, ...wanted };
    }),
  });
  await mkdir(out, { recursive: true });
  await setLazyRuntime(out, true);
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
    def method(self): return T()
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
    const lazy = { 'p/a.py': { lines: [1] }, 'p/__init__.py': { seen: ['b'] } };
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
    ['an annotation in a string names it', 'import os\ndef f(x: "list[os.PathLike]"): os\n'],
    [
      'others may evaluate an annotation',
      'from __future__ import annotations\nimport os\ndef f(x: os.PathLike): os\n',
    ],
    ['others compile the bytecode of its functions', 'import numba\nimport os\n@numba.njit\ndef f(): os\n'],
    ['the module looks itself up', 'import os, sys\ndef f(): return sys.modules[__name__], os\n'],
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

describe('nobody can tell that an import is still to be made', () => {
  const HEAVY = 'a = 1\nb = 2\n';
  const M = 'from heavy import a, b\nKNOWN = 0\ndef f(): return a + b\n';
  const see = async (
    program: string,
    files: Record<string, string> = {},
    lazy: Record<string, Partial<Lazy>> = {},
  ) => {
    const all = { 'heavy.py': HEAVY, 'm.py': M, ...files };
    const told = 'loaded = lambda: "heavy" in sys.modules\n';
    const eager = await run(all, told + program, {});
    const later = await run(all, told + program, { 'm.py': { lines: [1] }, ...lazy });
    expect(later.deferred['m.py']).toEqual([1]);
    return { eager: eager.output.split('\n'), later: later.output.split('\n') };
  };

  it.each([
    ['dir', 'import m\nprint(dir(m))'],
    ['vars', 'import m\nprint(sorted(one for one in vars(m) if not one.startswith("_plimsoll")))'],
    ['hasattr and getattr', 'import m\nprint(hasattr(m, "a"), m.b, getattr(m, "never", None))'],
    ['what is missing', 'import m\ntry: m.never\nexcept AttributeError as error: print(error)'],
    [
      'from m import *',
      'exec("from m import *", space := {})\nprint(sorted(one for one in space if one[0] != "_"))',
    ],
    [
      'inspect.getmembers',
      'import m, inspect\nprint([one for one, _ in inspect.getmembers(m) if one[0] != "_"])',
    ],
    ['an assignment, which stays', 'import m\nm.a = 40\nprint(m.f(), m.a)'],
    [
      'a patch that ends',
      'import m\nfrom unittest import mock\nwith mock.patch("m.a", 40): print(m.f())\nprint(m.f())',
    ],
    [
      'a deletion',
      'import m\ndel m.a\ntry: m.f()\nexcept NameError as error: print(error)\nprint(hasattr(m, "a"), m.b)',
    ],
    [
      'a deletion of what was assigned',
      'import m\nm.a = 9\ndel m.a\ntry: m.f()\nexcept NameError: print("gone")',
    ],
    ['loading it anew', 'import m, heavy, importlib\nm.f()\nheavy.a = 50\nprint(importlib.reload(m).f())'],
    ['what was bound before others changed it', 'import heavy, m\nheavy.a = 50\nprint(m.f())'],
    [
      'a copy of the module under another name',
      'import importlib.util as u\nspec = u.spec_from_file_location("x", __import__("m").__file__)\nx = u.module_from_spec(spec)\nspec.loader.exec_module(x)\nprint(x.f())',
    ],
    [
      'its class, as far as isinstance goes',
      'import m, types\nprint(isinstance(m, types.ModuleType), repr(m)[:10])',
    ],
  ])('by %s', async (_, program) => {
    const { eager, later } = await see(program);
    expect(eager.join()).not.toBe('');
    expect(later).toEqual(eager);
  });

  it('nor by a function that runs before the import is reached, or in the middle of it', async () => {
    const early =
      'def f(now):\n    if now: return a\nf(False)\ntry: f(True)\nexcept NameError as error: print(error)\nfrom heavy import a\n';
    const files = { 'm.py': early, 'heavy.py': 'a = 1\n' };
    const program = 'import m; print(m.f(True))';
    const eager = await run(files, program, {});
    const later = await run(files, program, { 'm.py': { lines: [6] } });
    expect(later.deferred).toEqual({ 'm.py': [6] });
    expect(later.output).toBe(eager.output);
    const circle = {
      'm.py': 'import heavy\ndef f(): return heavy.a\ndef g(): return 3\n',
      'heavy.py': 'import m\na = m.g()\n',
    };
    expect((await run(circle, 'import m; print(m.f())', { 'm.py': { lines: [1] } })).output).toBe('3');
    // A function that uses the name and that the import itself calls: it must not import in circles.
    const again = {
      'm.py': 'import heavy\ndef f(now):\n    if now: return heavy.a\n',
      'heavy.py': 'import m\nm.f(False)\na = 4\n',
    };
    expect((await run(again, 'import m; print(m.f(True))', { 'm.py': { lines: [1] } })).output).toBe('4');
  });

  it('nor by many threads at once', async () => {
    const files = {
      'heavy.py':
        'import time, sys\nsys.loads = getattr(sys, "loads", 0) + 1\ntime.sleep(0.05)\nimport m\na = 1\n',
      'm.py': 'from heavy import a\nimport other\ndef f(): return a\ndef g(): return other.b\n',
      'other.py': 'import time\ntime.sleep(0.05)\nimport heavy, m\nb = 2\n',
    };
    const program = `import m, threading
found = []
def work(one): found.append((m.f, m.g, lambda: m.a, lambda: m.other.b)[one % 4]())
threads = [threading.Thread(target=work, args=(one,)) for one in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join(20)
print(sorted(found) == [1] * 8 + [2] * 8, sys.loads)`;
    expect((await run(files, program, { 'm.py': { lines: [1, 2] } })).output).toBe('True 1');
  });
});

describe('a package', () => {
  const files = {
    'p/__init__.py': 'from p import a\n',
    'p/a.py': 'import p.b\ndef f(): return p.b.X\n',
    'p/b.py': 'X = 1\n',
    'p/c.py': 'X = 2\n',
  };
  const lazy = { 'p/a.py': { lines: [1] }, 'p/__init__.py': { seen: ['b'], hidden: ['c'] } };

  it.each([
    ['has it', 'print(hasattr(p, "b"), p.b.X)'],
    ['lists it', 'print(dir(p))'],
    ['has it in vars', 'print("b" in vars(p), "c" in vars(p))'],
    ['lets it be replaced for good', 'p.b = 5\nimport p.b as again, p.a\nprint(p.b, p.a.p.b)'],
    ['lets it be deleted', 'del p.b\nprint(hasattr(p, "b"), "b" in dir(p))'],
    ['gives it by a star', 'exec("from p import *", space := {})\nprint("b" in space, "c" in space)'],
  ])('%s: a module in it that is not loaded any more', async (_, program) => {
    const eager = await run(files, `import p\n${program}`, {});
    const later = await run(files, `import p\nprint("p.b" in sys.modules)\n${program}`, lazy);
    expect(later.output).toBe(`False\n${eager.output}`);
  });

  it('answers first, where it has a __getattr__ of its own', async () => {
    const own = {
      ...files,
      'p/__init__.py':
        'from p import a\ndef __getattr__(name):\n    if name == "old": return 7\n    raise AttributeError("none " + name)\n',
    };
    const program =
      'import p\nprint(p.b.X, p.old, hasattr(p, "never"))\ntry: p.never\nexcept AttributeError as error: print(error)';
    const eager = await run(own, program, {});
    expect((await run(own, program, lazy)).output).toBe(eager.output);
  });

  it('of others answers, too, for what an import would have loaded in it', async () => {
    const outside = {
      'm.py': 'import xml.dom.minidom\ndef f(): return xml.dom.minidom\n',
    };
    const asked = { 'm.py': { lines: [1], outside: { xml: ['dom'], 'xml.dom': ['minidom'] } } };
    const program = 'import m, xml\nprint(hasattr(xml, "dom"), xml.dom.minidom.__name__)';
    expect((await run(outside, program, asked)).output).toBe('True xml.dom.minidom');
  });

  it('makes the imports of its own modules at once', async () => {
    for (const source of [
      'from . import a',
      'from .a import f',
      'from p.a import f',
      'import p.a',
      'from p import a',
    ]) {
      const { deferred } = await run(
        { 'p/__init__.py': `${source}\ndef g(): return a, f, p\n`, 'p/a.py': 'def f(): pass\n' },
        '',
        { 'p/__init__.py': { lines: [1] } },
      );
      expect(deferred).toEqual({});
    }
  });
});

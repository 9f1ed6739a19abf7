import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listTree } from '../../../core/build/tree.ts';
import { findPython } from '../../../core/build/uv.ts';
import { ImportCheckError, WorkloadError } from '../../../core/errors.ts';
import type { Mode } from '../../../core/optimise/decisions.ts';
import { addFinder } from '../../../core/optimise/finder.ts';
import { optimise } from '../../../core/optimise/optimise.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plimsoll-optimise-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

interface Case {
  /** Files of the layer's one distribution, by path. */
  layer: Record<string, string>;
  app: string;
  /** @default one event that expects {"ok": true} */
  events?: { name: string; event: unknown; expect?: unknown }[];
  mode?: Mode;
  lazy?: boolean;
  /** Name of the distribution: its rules apply. @default no rules know it */
  distribution?: string;
}

async function run({
  layer,
  app,
  events = [{ name: 'one', event: {}, expect: { ok: true } }],
  mode = 'traced',
  lazy = false,
  distribution = 'package',
}: Case) {
  const libraries = join(folder, 'layer', 'python');
  const code = join(folder, 'function');
  const files = {
    ...Object.fromEntries(Object.entries(layer).map(([path, text]) => [join(libraries, path), text])),
    [join(code, 'app.py')]: app,
  };
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }
  const installed = [{ name: distribution, version: '1', files: Object.keys(layer) }];
  await addFinder(libraries, Object.keys(layer));
  const interpreter = await findPython('3.11', folder);
  const common = { interpreter, keepsSources: false, runtime: [] };
  const { decisions } = await optimise({
    units: [
      {
        ...common,
        kind: 'layer',
        name: 'layer',
        libraries,
        installed,
        installedSizes: new Map(),
        own: new Set(),
        services: [],
        beneath: [],
        modules: [],
      },
      {
        ...common,
        kind: 'function',
        name: 'fn',
        libraries: code,
        installed: [],
        installedSizes: new Map(),
        own: new Set(['app.py']),
        services: [],
        beneath: [],
        modules: [],
      },
    ],
    workloads: [
      {
        name: 'fn',
        interpreter,
        paths: [code, libraries],
        modules: ['app'],
        handler: 'app.handler',
        events,
        environment: {},
        bytecodeCache: join(folder, 'bytecode'),
      },
    ],
    mode,
    lazy,
    workdir: join(folder, 'work'),
  });
  const left = listTree(libraries)
    .map(({ path }) => path)
    .filter((path) => !path.startsWith('plimsoll_'));
  return { decisions: decisions.layer['layer'], heavy: decisions.heavyImports, left };
}

const putBack = (decisions: Awaited<ReturnType<typeof run>>['decisions'], step: string) =>
  decisions?.steps.find((one) => one.step === step)?.putBack ?? [];
const OK = 'def handler(event, context):\n    return {"ok": True}\n';

describe('the optimiser', () => {
  it('removes what no workload uses, and the workload still runs', async () => {
    const { left, decisions } = await run({
      layer: { 'p/__init__.py': '', 'p/used.py': 'X = 1', 'p/unused.py': 'Y = 1', 'p/data.bin': 'x' },
      app: `from p.used import X\n${OK}`,
    });
    expect(left).toEqual(['p/__init__.pyc', 'p/used.pyc']);
    expect(decisions).toMatchObject({
      remove: ['p/data.bin', 'p/unused.py'],
      compact: [],
      sources: [],
      docstrings: false,
    });
    expect(decisions?.steps.flatMap(({ putBack: back }) => back)).toEqual([]);
  });

  it('removes nothing by trace in the mode rules', async () => {
    const { left, decisions } = await run({
      mode: 'rules',
      layer: { 'p/__init__.py': '"""Doc."""', 'p/unused.py': '' },
      app: `import p\n${OK}`,
    });
    expect(left).toEqual(['p/__init__.pyc', 'p/unused.pyc']);
    expect(decisions?.docstrings).toBe(true);
  });

  it('puts bytecode without docstrings in place of sources, and tracebacks still name file and line', async () => {
    const source =
      '"""Top\nof three\nlines."""\nfrom __future__ import annotations\n\ndef f():\n    "One."\n    raise ValueError\n';
    const { left, decisions } = await run({
      layer: { 'p.py': source },
      app: `import p, traceback
def handler(event, context):
    try:
        p.f()
    except ValueError as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return {"ok": [p.__doc__, p.f.__doc__, last.filename, last.lineno]}
`,
      events: [{ name: 'one', event: {}, expect: { ok: ['', '', '/opt/python/p.py', 8] } }],
    });
    expect(decisions?.docstrings).toBe(false);
    expect(left).toEqual(['p.pyc']);
  });

  it('leaves a file that does not compile as it is', async () => {
    const { left } = await run({
      layer: { 'p.py': 'X = 1\n', 'template.py': '{{ name }} =\n' },
      app: `import p\nopen(p.__file__.replace("p.pyc", "template.py")).read()\n${OK}`,
    });
    expect(left).toEqual(['p.pyc', 'template.py']);
  });
});

describe('a harmful removal is caught and put back, and the rest goes', () => {
  it('by a rule: a package that imports its own tests', async () => {
    const layer = {
      'joblib/__init__.py': 'import joblib.test.needed',
      'joblib/test/__init__.py': '',
      'joblib/test/needed.py': '',
      'joblib/test/idle.py': '',
    };
    const { left, decisions } = await run({ distribution: 'joblib', layer, app: `import joblib\n${OK}` });
    // Without its __init__ the folder is a namespace package, which is enough for this one.
    expect(left).toEqual(['joblib/__init__.pyc', 'joblib/test/needed.pyc']);
    expect(putBack(decisions, 'rules').map(({ path }) => path)).toEqual(['joblib/test/needed.py']);
    for (const { broke } of putBack(decisions, 'rules'))
      expect(broke).toMatch(/fn: import app: ModuleNotFoundError: No module named 'joblib\.test/);
  });

  it('by the trace: a file that is looked for, but never opened', async () => {
    const probe =
      'import os\ndef there():\n    return os.path.exists(os.path.join(os.path.dirname(__file__), "flag.bin"))\n';
    const { left, decisions } = await run({
      layer: { 'p.py': probe, 'flag.bin': 'x', 'idle.bin': 'x' },
      app: 'import p\ndef handler(event, context):\n    return {"ok": p.there()}\n',
    });
    expect(left).toEqual(['flag.bin', 'p.pyc']);
    expect(putBack(decisions, 'trace')).toEqual([
      { path: 'flag.bin', broke: 'fn: event one: wrong: answer.ok is false, expected true' },
    ]);
  });

  it('by the bytecode: code that reads its own docstring or its own source', async () => {
    const { left, decisions } = await run({
      layer: {
        'p.py': '"""Usage: p"""\nassert "Usage" in __doc__\n',
        'q.py': 'import inspect\ndef f(): pass\ninspect.getsource(f)\n',
        'r.py': '"""Idle."""\n',
      },
      app: `import p, q, r\n${OK}`,
    });
    expect(putBack(decisions, 'bytecode').map(({ path }) => path)).toEqual(['p.py', 'q.py']);
    expect(decisions).toMatchObject({ docstrings: false, sources: ['p.py', 'q.py'], remove: [] });
    expect(left).toEqual(['p.py', 'q.py', 'r.pyc']);
  });

  it('when a workload dies of it', async () => {
    const source =
      'import os\nif not os.path.exists(__file__.replace("p.pyc", "flag.bin").replace("p.py", "flag.bin")): os.abort()\n';
    const { left, decisions } = await run({
      layer: { 'p.py': source, 'flag.bin': 'x' },
      app: `import p\n${OK}`,
    });
    expect(left).toContain('flag.bin');
    expect(putBack(decisions, 'trace')[0]?.broke).toMatch(/ended with signal SIGABRT/);
  });
});

describe('imports that cost much', () => {
  const slow = 'import time\ntime.sleep(0.02)\nX = 1\ndef g(): return 1\n';
  const layer = {
    'p/__init__.py': 'from p.api import f\n',
    'p/api.py': 'from p import slow\ndef f(): return 1\ndef rare(): return slow.X\n',
    'p/slow.py': `from p.deep import y\n${slow}`,
    'p/deep.py': 'y = 1\n',
    'q.py': slow,
  };
  const app = 'import p\nimport q\ndef handler(event, context):\n    return {"ok": p.f() + q.g() == 2}\n';

  it('of modules that no event uses are shown, with file and line, and what they pull in', async () => {
    const { heavy, decisions } = await run({ layer, app });
    expect(heavy).toMatchObject([
      {
        function: 'fn',
        artifact: 'layer',
        file: 'p/api.py',
        line: 1,
        modules: ['p.deep', 'p.slow'],
        ms: expect.any(Number),
        bytes: expect.any(Number),
        deferred: 0,
      },
    ]);
    expect(heavy[0]?.ms).toBeGreaterThan(20);
    expect(heavy[0]?.bytes).toBeGreaterThan(100);
    expect(decisions?.lazy).toEqual({});
  });

  it('are deferred where the project wants it', async () => {
    const { heavy, decisions } = await run({ layer, app, lazy: true });
    expect(heavy).toMatchObject([{ file: 'p/api.py', deferred: 2 }]);
    expect(decisions?.lazy).toEqual({
      'p/__init__.py': { lines: [], seen: ['deep', 'slow'], hidden: [], outside: {} },
      'p/api.py': { lines: [1], seen: [], hidden: [], outside: {} },
    });
  });

  it('are not where that breaks something, and the others are', async () => {
    const effect = 'import sys, time\ntime.sleep(0.01)\nsys.registered = True\nX = 1\n';
    const { decisions } = await run({
      lazy: true,
      layer: {
        'p.py': 'import effect\ndef f(): return effect.X\n',
        'effect.py': effect,
        'r.py': 'import idle\ndef f(): return idle.X\n',
        'idle.py': slow,
      },
      app: 'import sys, p, r\ndef handler(event, context):\n    return {"ok": getattr(sys, "registered", False)}\n',
    });
    expect(Object.keys(decisions?.lazy ?? {})).toEqual(['r.py']);
    expect(putBack(decisions, 'lazy')).toEqual([
      { path: 'p.py', broke: 'fn: event one: wrong: answer.ok is false, expected true' },
    ]);
  });
});

describe('what is imported later', () => {
  it('stays, when code that ran can reach it', async () => {
    const layer = {
      'p/__init__.py': 'def rare():\n    from p.lazy import x\n    return x\n',
      'p/lazy.py': 'from p.helper import x',
      'p/helper.py': 'x = 1',
      'p/idle.py': '',
    };
    const { left } = await run({ layer, app: `import p\n${OK}` });
    expect(left).toEqual(['p/__init__.pyc', 'p/helper.pyc', 'p/lazy.pyc']);
  });
});

describe('a workload that fails on the untouched trees', () => {
  it('for want of a module stops the build and says which', async () => {
    const failed = run({ layer: { 'p.py': '' }, app: `import nothing_like_this\n${OK}` });
    await expect(failed).rejects.toThrow(ImportCheckError);
    await expect(failed).rejects.toThrow(
      /function fn: import app fails .* No module named 'nothing_like_this'/,
    );
    const file = run({
      layer: { 'p.py': '' },
      app: 'def handler(event, context):\n    return open("/no/such/file").read()\n',
    });
    await expect(file).rejects.toThrow(WorkloadError);
  });

  it('for want of an account proves nothing: its trees lose what rules name, and no more', async () => {
    const { left, decisions } = await run({
      layer: { 'p.py': '', 'idle.py': '' },
      app: 'import p\ndef handler(event, context):\n    raise RuntimeError("no credentials")\n',
    });
    expect(left).toEqual(['idle.pyc', 'p.pyc']);
    expect(decisions?.docstrings).toBe(true);
    expect(decisions?.steps.find(({ step }) => step === 'trace')?.note).toBe(
      'fn: event one ends with RuntimeError in the build, so it does not show all that it needs',
    );
  });
});

import { describe, expect, it } from 'vitest';
import {
  distinctBytes,
  explainChecks,
  explainDefaults,
  kindOf,
  type MeasuredArtifact,
  megabytes,
  packageOf,
  refuseOverBudget,
  sizeReport,
} from '../../../core/size/report.ts';

const MB = 1_000_000;
const artifact = (
  kind: 'layer' | 'function',
  name: string,
  files: [string, number, number?][],
): MeasuredArtifact => ({
  kind,
  name,
  zipped: 1,
  files: files.map(([path, bytes, crc32 = bytes]) => ({ path, bytes, crc32 })),
});
const fn = (name: string, layers: string[], foreignLayers = 0) => ({
  logicalId: name,
  name,
  key: '',
  distributions: [],
  sources: [],
  services: [],
  layers,
  foreignLayers,
  stack: layers,
  handler: 'app.handler',
  runtime: 'python3.11',
  target: { python: '3.11', architecture: 'x86_64' as const },
  architecture: 'x86_64' as const,
  environment: {},
  smoke: [],
});
const budgets = (layers = {}, functions = {}, total = 200 * MB) => ({
  layers,
  functions,
  total,
  coldStart: 3000,
  byDefault: [] as string[],
});

describe('the size report', () => {
  it('says what is too big, by how much, and what takes the space', () => {
    const artifacts = [
      artifact('layer', 'core', [
        ['python/numpy/a.so', 60 * MB, 1],
        ['python/pandas/b.so', 50 * MB, 2],
        ['python/numpy.libs/c.so', 5 * MB, 3],
      ]),
    ];
    const report = sizeReport(
      { budgets: budgets({ core: 100 * MB }), functions: [], externals: [] },
      artifacts,
    );
    expect(explainChecks(report)).toEqual([
      'layer core is 115.0 MB, 15.0 MB over its budget of 100.0 MB (numpy 65.0 MB, pandas 50.0 MB)',
    ]);
  });

  it('takes a budget for a bound that must not be reached', () => {
    const check = (bytes: number) =>
      explainChecks(
        sizeReport({ budgets: budgets({ core: 10 * MB }), functions: [], externals: [] }, [
          artifact('layer', 'core', [['a', bytes]]),
        ]),
      );
    expect(check(10 * MB - 1)).toEqual([]);
    expect(check(10 * MB)).toHaveLength(1);
  });

  it('does not take what is over a budget that nobody wrote for a reason to fail', () => {
    const own = { ...budgets({ core: 10 * MB }), byDefault: ['layers.core', 'total'] };
    const report = sizeReport({ budgets: own, functions: [], externals: [] }, [
      artifact('layer', 'core', [['a', 300 * MB]]),
    ]);
    expect(explainChecks(report)).toEqual([]);
    expect(() => refuseOverBudget(report)).not.toThrow();
    expect(explainDefaults(report)).toEqual([
      'layer core is 300.0 MB, 290.0 MB over the default budget of 10.0 MB (a 300.0 MB). Set your own in plimsoll.yaml: budgets',
      'whole release is 300.0 MB, 100.0 MB over the default budget of 200.0 MB (a 300.0 MB). Set your own in plimsoll.yaml: budgets',
    ]);
    const written = sizeReport({ budgets: { ...own, byDefault: ['total'] }, functions: [], externals: [] }, [
      artifact('layer', 'core', [['a', 30 * MB]]),
    ]);
    expect(() => refuseOverBudget(written)).toThrow('layer core is 30.0 MB, 20.0 MB over its budget');
  });

  it("holds each function with its layers against Lambda's own limits", () => {
    const artifacts = [
      artifact('layer', 'a', [['x', 200 * MB, 1]]),
      artifact('layer', 'b', [['y', 62 * MB, 2]]),
      artifact('function', 'F', [['z', 144_001, 3]]),
    ];
    const over = sizeReport(
      { budgets: budgets({}, {}, 900 * MB), functions: [fn('F', ['a', 'b'])], externals: [] },
      artifacts,
    );
    expect(explainChecks(over)).toEqual([
      expect.stringMatching(
        /^function F with its layers is 262\.144001 MB, .* over Lambda's limit of 262\.144 ?/,
      ),
    ]);
    const many = sizeReport({ budgets: budgets(), functions: [fn('F', ['a'], 5)], externals: [] }, [
      artifact('function', 'F', []),
    ]);
    expect(explainChecks(many)).toEqual(['function F uses 6 layers, Lambda takes 5']);
  });

  it('counts layers of others toward Lambda’s limit, and toward no budget', () => {
    const id = `external:${'0'.repeat(64)}`;
    const uses = { ...fn('F', ['a'], 1), stack: ['a', id] };
    const theirs = { id, name: 'arn', bytes: 100 * MB, from: { folder: 'theirs' } };
    const report = sizeReport({ budgets: budgets(), functions: [uses], externals: [theirs] }, [
      artifact('layer', 'a', [['x', 163 * MB, 1]]),
      artifact('function', 'F', []),
    ]);
    expect(explainChecks(report)).toEqual([
      expect.stringMatching(/^function F with its layers is 263\.0 MB, .* over Lambda's limit/),
    ]);
    expect(report.total).toBe(163 * MB);
  });

  it('counts each distinct file of the whole once', () => {
    const same: [string, number, number] = ['python/six.py', 100, 7];
    expect(
      distinctBytes([artifact('layer', 'a', [same]), artifact('layer', 'b', [same, ['other', 100, 8]])]),
    ).toBe(200);
  });
});

describe('a file', () => {
  it.each([
    ['python/numpy/core/x.so', 'numpy', 'native'],
    ['python/numpy.libs/libopenblas.so.3', 'numpy', 'native'],
    ['python/six.pyc', 'six', 'bytecode'],
    ['python/pandas-2.0.3.dist-info/METADATA', 'pandas', 'data'],
    ['app.py', 'app', 'source'],
    ['python/_x.cpython-311-x86_64-linux-gnu.so', '_x', 'native'],
  ])('%s belongs to %s and is %s', (path, name, kind) => {
    expect(packageOf(path)).toBe(name);
    expect(kindOf(path)).toBe(kind);
  });

  it('has a size that people read', () => {
    expect([megabytes(134_849_272), megabytes(5276), megabytes(0)]).toEqual(['134.8 MB', '5.3 kB', '0.0 kB']);
  });
});

import { describe, expect, it } from 'vitest';
import { moduleName, reachableModules, unusedFiles } from '../../../core/optimise/keep.ts';

const imports = (entries: Record<string, { now?: string[]; later?: string[] }>) =>
  new Map(Object.entries(entries).map(([name, { now = [], later = [] }]) => [name, { now, later }]));

describe('a file of a tree', () => {
  it.each([
    ['a/b.py', 'a.b'],
    ['a/__init__.py', 'a'],
    ['a/_x.cpython-311-x86_64-linux-gnu.so', 'a._x'],
    ['a/y.abi3.so', 'a.y'],
    ['six.py', 'six'],
    ['a.libs/libz-1234.so', undefined],
    ['a/data.json', undefined],
    ['a-1.dist-info/METADATA', undefined],
  ])('%s is the module %s', (path, name) => {
    expect(moduleName(path)).toBe(name);
  });
});

describe('what code that ran can still reach', () => {
  it('is what it imports inside functions, with all that is loaded with that, and its packages', () => {
    const all = imports({
      app: { later: ['lazy.deep'] },
      lazy: {},
      'lazy.deep': { now: ['helper'], later: ['farther'] },
      helper: {},
      farther: {},
      other: {},
    });
    expect([...reachableModules(new Set(['app']), all)].sort()).toEqual(['helper', 'lazy', 'lazy.deep']);
  });
  it('has an end where modules import each other', () => {
    const all = imports({ app: { later: ['a'] }, a: { now: ['b'] }, b: { now: ['a'] } });
    expect([...reachableModules(new Set(['app']), all)].sort()).toEqual(['a', 'b']);
  });
});

describe('the files that no workload used', () => {
  const files = [
    'p/__init__.py',
    'p/used.py',
    'p/lazy.py',
    'p/unused.py',
    'p/data.bin',
    'p/other.bin',
    'p-1.dist-info/METADATA',
    'p-1.dist-info/licenses/LICENSE',
    'pytz/zoneinfo/Europe/Berlin',
    'botocore/data/s3/1/service-2.json',
    'botocore/data/ec2/1/service-2.json',
    'botocore/data/endpoints.json',
  ];
  const input = {
    files,
    used: new Set(['p/__init__.py', 'p/used.py', 'p/data.bin']),
    loaded: new Set(['p', 'p.used']),
    services: ['s3'],
    imports: imports({ p: {}, 'p.used': { later: ['p.lazy'] }, 'p.lazy': {}, 'p.unused': {} }),
  };
  it('go, less the safety set: metadata, licences, time zones, services in use, lazily reachable modules', () => {
    expect(unusedFiles(input)).toEqual(['p/unused.py', 'p/other.bin', 'botocore/data/ec2/1/service-2.json']);
  });
  it('keep all services where the code computes a name', () => {
    expect(unusedFiles({ ...input, services: 'all' })).toEqual(['p/unused.py', 'p/other.bin']);
  });
  it('stay, when plimsoll.yaml names them or what they lie in', () => {
    expect(unusedFiles({ ...input, keep: ['p.unused'] })).toEqual([
      'p/other.bin',
      'botocore/data/ec2/1/service-2.json',
    ]);
    expect(unusedFiles({ ...input, keep: ['p'] })).toEqual(['botocore/data/ec2/1/service-2.json']);
    expect(
      unusedFiles({
        ...input,
        files: ['a/__init__.py', 'a/b/__init__.py', 'a/b/c.py', 'a/d.py', 'ab/__init__.py'],
        used: new Set<string>(),
        loaded: new Set<string>(),
        keep: ['a.b'],
      }),
    ).toEqual(['a/d.py', 'ab/__init__.py']);
  });
});

import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { topLevelModules } from '../../../core/build/imports.ts';
import { parseRecord } from '../../../core/build/install.ts';
import {
  closure,
  lockLines,
  parseLock,
  rememberingResolver,
  resolveSets,
  withOwnHashes,
} from '../../../core/build/resolve.ts';
import { Wheels } from '../../../core/build/wheels.ts';
import { ResolutionError } from '../../../core/errors.ts';

const TARGET = { python: '3.11', architecture: 'x86_64' } as const;

describe('a lock', () => {
  const text = `numpy==1.24.3 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via
    #   -r set-0.txt
    #   pandas
pandas[extra]==2.0.3 \\
    --hash=sha256:cc
    # via -r set-1.txt
six==1.16.0 ; python_version < "4" \\
    --hash=sha256:dd
    # via
    #   -c constraints.txt
    #   python-dateutil
`;
  it('is read with who asked for what', () => {
    expect(parseLock(text, ['core', 'ml'])).toEqual([
      { name: 'numpy', version: '1.24.3', hashes: ['sha256:aa', 'sha256:bb'], via: ['core', 'pandas'] },
      { name: 'pandas', version: '2.0.3', hashes: ['sha256:cc'], via: ['ml'] },
      { name: 'six', version: '1.16.0', hashes: ['sha256:dd'], via: ['python-dateutil'] },
    ]);
  });

  it('gives what a requirement set needs, itself and through others', () => {
    const lock = parseLock(text, ['core', 'ml']);
    expect([...closure('core', lock)]).toEqual(['numpy']);
    expect([...closure('ml', lock)].sort()).toEqual(['numpy', 'pandas']);
  });

  it('is written as uv installs it, with every hash', () => {
    expect(lockLines([{ name: 'six', version: '1.16.0', hashes: ['sha256:dd'], via: [] }])).toBe(
      'six==1.16.0 --hash=sha256:dd\n',
    );
  });
});

describe('a RECORD', () => {
  it('is read as CSV, and what lies outside the tree is left out', () => {
    expect(parseRecord('a/b.py,sha256=x,1\r\n"a/""q"",c.py",,\n../../bin/tool,,\n/etc/x,,\n')).toEqual([
      'a/b.py',
      'a/"q",c.py',
    ]);
  });
  it('gives the modules at the top', () => {
    const files = [
      'pkg/__init__.py',
      'pkg/sub/__init__.py',
      'six.py',
      '_x.cpython-311-x86_64-linux-gnu.so',
      'y.abi3.so',
      'pkg-1.dist-info/METADATA',
      'data/x.json',
      'pkg.libs/z.so',
    ];
    expect(topLevelModules({ files })).toEqual(['_x', 'pkg', 'six', 'y']);
  });
});

describe('hashes that requirements name', () => {
  const six = (version: string) => ({ name: 'six', version, hashes: ['sha256:aa', 'sha256:bb'], via: [] });
  const line = (version: string, hash: string) =>
    `six==${version} ; python_version < "4" --hash=sha256:${hash}`;
  it('count for the version of their line alone', () => {
    const sets = { fn: [line('1.15.0', 'aa'), line('1.16.0', 'cc')] };
    expect(withOwnHashes([six('1.15.0')], sets)[0]?.hashes).toEqual(['sha256:aa']);
    expect(() => withOwnHashes([six('1.16.0')], sets)).toThrow(/six==1\.16\.0: no file of the index/);
  });
});

describe('the resolution of several requirement sets', () => {
  it('finds one version of everything for all of them', async () => {
    const lock = await resolveSets({ one: ['python-dateutil==2.8.2'], two: ['six<1.17'] }, TARGET);
    expect(lock.map(({ name, version }) => `${name}==${version}`)).toEqual([
      'python-dateutil==2.8.2',
      'six==1.16.0',
    ]);
    expect(lock.find(({ name }) => name === 'six')?.via.sort()).toEqual(['python-dateutil', 'two']);
    for (const { hashes } of lock) for (const hash of hashes) expect(hash).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  it('holds to what the layers below have', async () => {
    const lock = await resolveSets({ fn: ['python-dateutil==2.8.2'] }, TARGET, [
      { name: 'six', version: '1.15.0', hashes: [], via: [] },
    ]);
    expect(lock.find(({ name }) => name === 'six')?.version).toBe('1.15.0');
  });

  it.each([
    [
      'sets that contradict each other',
      { one: ['six==1.15.0'], two: ['six==1.16.0'] },
      /one, two cannot be resolved.*six==1\.15\.0/,
    ],
    ['a package that does not exist', { one: ['plimsoll-no-such-package'] }, /plimsoll-no-such-package/],
    ['a version that has no wheel for the target', { one: ['numpy==1.19.0'] }, /numpy/],
  ])('fails on %s and says which', async (_what, sets, problem) => {
    const failed = resolveSets(sets, TARGET);
    await expect(failed).rejects.toThrow(ResolutionError);
    await expect(failed).rejects.toThrow(problem);
  });
});

describe('a resolution that is remembered', () => {
  it('holds while requirements, target and constraints are the same', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'plimsoll-resolutions-'));
    const resolve = rememberingResolver(folder, new Wheels(join(folder, 'wheels')));
    const first = await resolve({ one: ['six'] }, TARGET);
    const [file = ''] = await readdir(folder);
    // Not what any index would answer: so it is the memory that does.
    await writeFile(join(folder, file), JSON.stringify([{ ...first[0], version: '0.0.1' }]));
    expect((await resolve({ one: ['six'] }, TARGET))[0]?.version).toBe('0.0.1');
    expect((await resolve({ one: ['six<2'] }, TARGET))[0]?.version).toBe(first[0]?.version);
    expect((await resolve({ one: ['six'] }, { ...TARGET, python: '3.12' }))[0]?.version).toBe(
      first[0]?.version,
    );
    await rm(folder, { recursive: true, force: true });
  });
});

describe('hashes that the requirements name', () => {
  const REAL = 'sha256:8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254';
  const WRONG = `sha256:${'0'.repeat(64)}`;
  const target = { python: '3.11', architecture: 'x86_64' } as const;

  it('are the only ones that may be installed', async () => {
    const [six] = await resolveSets(
      { utils: [`six==1.16.0 --hash=${WRONG} --hash=${REAL}`, 'idna==3.7'] },
      target,
    ).then((all) => all.filter(({ name }) => name === 'six'));
    expect(six?.hashes).toEqual([REAL]);
  });

  it('must be some file of the index', async () => {
    const failed = resolveSets({ utils: [`six==1.16.0 --hash=${WRONG}`] }, target);
    await expect(failed).rejects.toThrow(ResolutionError);
    await expect(failed).rejects.toThrow(
      /six==1\.16\.0: no file of the index has a hash that the requirements of utils name/,
    );
  });

  it('of two sets must agree', () => {
    const six = { name: 'six', version: '1', hashes: ['sha256:a', 'sha256:b'], via: [] };
    const sets = (one: string, two: string) => ({ a: [`Six==1 --hash=${one}`], b: [`six==1 --hash=${two}`] });
    expect(withOwnHashes([six], sets('sha256:a', 'sha256:a'))[0]?.hashes).toEqual(['sha256:a']);
    expect(() => withOwnHashes([six], sets('sha256:a', 'sha256:b'))).toThrow('requirements of a, b name');
    expect(withOwnHashes([six], { a: ['six==1'] })[0]?.hashes).toEqual(six.hashes);
  });
});

import { appendFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Installed, install } from '../../../core/build/install.ts';
import { resolveSets } from '../../../core/build/resolve.ts';
import { listTree } from '../../../core/build/tree.ts';
import { findPython } from '../../../core/build/uv.ts';
import { addFinder } from '../../../core/optimise/finder.ts';
import { optimise } from '../../../core/optimise/optimise.ts';
import { isSameLibrary } from '../../../core/optimise/shared.ts';
import type { Unit } from '../../../core/optimise/unit.ts';

const TARGET = { python: '3.11', architecture: 'x86_64' } as const;
let folder: string;
let pristine: string;
let numpy: Installed[];
let library: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plimsoll-shared-'));
  pristine = join(folder, 'pristine');
  numpy = await install(await resolveSets({ set: ['numpy==1.24.3'] }, TARGET), pristine, TARGET);
  library = listTree(pristine).find(({ path }) => /libs\/libquadmath/.test(path))?.path ?? '';
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Two layers: numpy, and above it a package with a library of its own that has the same name. */
async function run(name: string, module: string, change: (bytes: Buffer) => Buffer = (bytes) => bytes) {
  const [below, above] = [join(folder, name, 'below'), join(folder, name, 'above')];
  await cp(pristine, below, { recursive: true });
  const own = library.replace('numpy.libs', 'other.libs');
  await mkdir(join(above, 'other.libs'), { recursive: true });
  await writeFile(join(above, 'other.py'), module.replace('LIBRARY', library.split('/')[1] ?? ''));
  await writeFile(join(above, own), change(await readFile(join(pristine, library))));
  await addFinder(below, ['numpy/__init__.py']);
  const interpreter = await findPython('3.11', folder);
  const unit = (one: Partial<Unit> & Pick<Unit, 'name' | 'libraries' | 'installed'>): Unit => ({
    kind: 'layer',
    installedSizes: new Map(),
    own: new Set(),
    services: [],
    beneath: [],
    modules: [],
    interpreter,
    keepsSources: false,
    runtime: [],
    ...one,
  });
  const { decisions } = await optimise({
    units: [
      unit({ name: 'below', libraries: below, installed: numpy }),
      unit({
        name: 'above',
        libraries: above,
        installed: [{ name: 'other', version: '1', files: ['other.py', own] }],
        beneath: ['below'],
      }),
    ],
    workloads: [
      {
        name: 'fn',
        interpreter,
        paths: [above, below],
        modules: ['numpy', 'other'],
        events: [],
        environment: {},
        bytecodeCache: join(folder, name, 'bytecode'),
      },
    ],
    mode: 'rules',
    workdir: join(folder, name, 'work'),
  });
  return { remove: decisions.layer['above']?.remove, steps: decisions.layer['above']?.steps, own };
}

const LOADS = 'import ctypes\nctypes.CDLL("LIBRARY")\n';

describe('a library that a layer beneath brings under the same name', () => {
  it('goes, where the package loads the other one first, whatever is imported before it', async () => {
    const { remove, own, steps } = await run('same', `import numpy\n${LOADS}`);
    expect(remove).toContain(own);
    expect(steps?.find(({ step }) => step === 'shared')?.removed[0]?.reason).toMatch(
      /^Layer below brings the same/,
    );
  });

  it('comes back where the package alone would not find it', async () => {
    const { remove, own, steps } = await run(
      'alone',
      LOADS.replace('"LIBRARY"', '__file__.rpartition("/")[0] + "/other.libs/LIBRARY"'),
    );
    expect(remove).not.toContain(own);
    expect(steps?.find(({ step }) => step === 'shared')?.putBack).toMatchObject([{ path: own }]);
  });

  it('stays where it is another one', async () => {
    const flip = (bytes: Buffer) => {
      const changed = Buffer.from(bytes);
      changed[100_000] = (changed[100_000] ?? 0) ^ 1;
      return changed;
    };
    const { remove, own } = await run('differs', 'import numpy\n', flip);
    expect(remove).not.toContain(own);
  });
});

describe('two libraries are one', () => {
  it('when all that is mapped is the same, though the files differ', async () => {
    const bytes = await readFile(join(pristine, library));
    const copy = join(folder, 'copy.so');
    await writeFile(copy, bytes);
    await appendFile(copy, 'x');
    expect(isSameLibrary(bytes, await readFile(copy))).toBe(true);
    expect(isSameLibrary(bytes, Buffer.from('no library'))).toBe(false);
    expect(isSameLibrary(Buffer.from('a'), Buffer.from('b'))).toBe(false);
  });
});

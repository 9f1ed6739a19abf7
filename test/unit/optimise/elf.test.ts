import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { install } from '../../../core/build/install.ts';
import { replaceFile } from '../../../core/build/replace.ts';
import { resolveSets } from '../../../core/build/resolve.ts';
import { listTree } from '../../../core/build/tree.ts';
import { findPython } from '../../../core/build/uv.ts';
import {
  compactElf,
  type ElfSymbol,
  PAGE,
  type Range,
  readDynamicSymbols,
  readElf,
  readSymbols,
} from '../../../core/optimise/elf.ts';
import { unusedKernels } from '../../../core/optimise/kernels.ts';
import { isNative, smaller } from '../../../core/optimise/native.ts';
import { unwindTables } from '../../../core/optimise/unwind.ts';

interface Load {
  bytes: number;
  gap: number;
  bss: number;
  code: boolean;
}

/** A shared library of some PT_LOAD segments, with rubbish between and behind them, as strip and patchelf leave it. */
function library(loads: readonly Load[], rubbish: number): Buffer {
  const count = loads.length;
  const phdrs = Buffer.alloc(56 * count);
  const parts: Buffer[] = [];
  let offset = 0;
  let vaddr = 0;
  for (const [index, { bytes, gap, bss, code }] of loads.entries()) {
    if (index > 0) {
      const hole = Buffer.alloc(gap, 0xee);
      parts.push(hole);
      offset += gap;
      vaddr = Math.ceil((vaddr + 1) / PAGE) * PAGE + (offset % PAGE);
    }
    const size = index === 0 ? Math.max(bytes, 64 + 56 * count) : bytes;
    parts.push(Buffer.from(Array.from({ length: size }, (_, at) => (at * 7 + index * 31) & 255)));
    const at = index * 56;
    phdrs.writeUInt32LE(1, at);
    phdrs.writeUInt32LE(code ? 5 : 4, at + 4);
    for (const [n, value] of [offset, vaddr, vaddr, size, size + bss, PAGE].entries())
      phdrs.writeBigUInt64LE(BigInt(value), at + 8 + n * 8);
    offset += size;
    vaddr += size + bss;
  }
  const result = Buffer.concat([...parts, Buffer.alloc(rubbish, 0xdd)]);
  result.fill(0, 0, 64);
  result.write('\x7fELF\x02\x01\x01', 0, 'latin1');
  result.writeUInt16LE(3, 16);
  result.writeUInt16LE(62, 18);
  result.writeBigUInt64LE(64n, 32);
  result.writeUInt16LE(64, 52);
  result.writeUInt16LE(56, 54);
  result.writeUInt16LE(count, 56);
  phdrs.copy(result, 64);
  return result;
}

/** What the loader makes of a library: the bytes at each address, less the header, whose offsets change. */
function image(bytes: Buffer, cuts: readonly Range[] = []): Map<number, number> {
  const memory = new Map<number, number>();
  for (const { type, offset, vaddr, filesz, memsz } of readElf(bytes)?.segments ?? []) {
    if (type !== 1) continue;
    for (let at = 0; at < memsz; at += 1) {
      const address = vaddr + at;
      if (address < 64 || cuts.some(({ start, end }) => address >= start && address < end)) continue;
      memory.set(address, at < filesz ? (bytes[offset + at] ?? -1) : 0);
    }
  }
  return memory;
}

const load = fc.record({
  bytes: fc.integer({ min: 1, max: 9000 }),
  gap: fc.integer({ min: 0, max: 9000 }),
  bss: fc.integer({ min: 0, max: 3000 }),
  code: fc.boolean(),
});

/** Ranges within the segments that are not written to, by two fractions of each. */
const cutsOf = (library: Buffer, fractions: readonly [number, number][]): Range[] =>
  (readElf(library)?.segments ?? []).flatMap(({ flags, vaddr, filesz }, index) => {
    const [from = 0, to = 0] = (fractions[index] ?? [0, 0]).toSorted((a, b) => a - b);
    const start = Math.max(vaddr + Math.floor(filesz * from), vaddr + 64 + 56 * 8);
    const end = vaddr + Math.floor(filesz * to);
    return !(flags & 2) && end > start ? [{ start, end }] : [];
  });

describe('a compacted library', () => {
  it('is mapped as before; what was cut is zero, or not there', () => {
    const fraction = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(load, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 0, max: 60_000 }),
        fc.array(fc.tuple(fraction, fraction), { maxLength: 4 }),
        (loads, rubbish, fractions) => {
          const before = library(loads, rubbish);
          const ranges = cutsOf(before, fractions);
          const after = compactElf(before, { ranges });
          fc.pre(after !== undefined);
          expect(after.length).toBeLessThan(before.length);
          const left = image(after);
          expect(image(after, ranges)).toEqual(image(before, ranges));
          for (const { start, end } of ranges) {
            for (let at = start; at < end; at += 1) expect(left.get(at) ?? 0).toBe(0);
            const page = Math.ceil(start / PAGE) * PAGE;
            const isInside = (readElf(before)?.segments ?? []).some(
              ({ vaddr, filesz }) => page > vaddr && page + PAGE <= end && page + PAGE < vaddr + filesz,
            );
            if (isInside) expect(left.has(page)).toBe(false);
          }
          for (const { type, offset, vaddr, align } of readElf(after)?.segments ?? [])
            if (type === 1) expect((vaddr - offset) % align).toBe(0);
        },
      ),
    );
  });

  it('is never made of what is none, or lies', () => {
    const honest = library(
      [
        { bytes: 5000, gap: 0, bss: 0, code: true },
        { bytes: 3000, gap: 4000, bss: 10, code: false },
      ],
      20_000,
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(175), fc.nat(255)), { minLength: 1, maxLength: 5 }), (changes) => {
        const bytes = Buffer.from(honest);
        for (const [at, value] of changes) bytes[at] = value;
        const result = smaller(bytes);
        if (result) expect(result.bytes.length).toBeLessThan(bytes.length);
      }),
    );
    expect(smaller(Buffer.from('no library'))).toBeUndefined();
    expect(smaller(honest.subarray(0, 4000))).toBeUndefined();
  });
});

describe('the libraries of numpy', () => {
  let folder: string;
  let tree: string;
  let openblas = '';
  let kernels: ElfSymbol[] = [];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'plimsoll-elf-'));
    tree = join(folder, 'tree');
    const target = { python: '3.11', architecture: 'x86_64' } as const;
    await install(await resolveSets({ set: ['numpy==1.24.3'] }, target), tree, target);
    for (const { path } of listTree(tree).filter((file) => isNative(file.path))) {
      const file = join(tree, path);
      if (path.includes('openblas')) openblas = file;
      const bytes = await readFile(file);
      const elf = readElf(bytes);
      if (elf && file === openblas) kernels = readDynamicSymbols(bytes, elf).filter((one) => one.isFunction);
      const result = smaller(bytes);
      if (result) await writeFile(`${file}.compact`, result.bytes);
    }
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('get smaller, OpenBLAS by the kernels of processors without AVX2', async () => {
    const bytes = await readFile(openblas);
    const elf = readElf(bytes);
    const cuts = elf ? unusedKernels(elf, readSymbols(bytes, elf)) : [];
    expect(cuts.reduce((sum, { start, end }) => sum + end - start, 0)).toBeGreaterThan(5_000_000);
    // No page that goes holds anything of a kernel that stays.
    const kept = elf
      ? readSymbols(bytes, elf).filter(
          ({ name, isFunction }) => isFunction && /_(HASWELL|ZEN|SKYLAKEX|COOPERLAKE)$/.test(name),
        )
      : [];
    expect(kept.length).toBeGreaterThan(1000);
    for (const { value, size, name } of kept) {
      expect(
        cuts.some(({ start, end }) => value < end && value + size > start),
        name,
      ).toBe(false);
    }
  });

  it('work as before under each kernel that Lambda can choose, and the proof would see one that is gone', async () => {
    for (const { path } of listTree(tree).filter((file) => file.path.endsWith('.compact'))) {
      await replaceFile(join(tree, path.replace(/\.compact$/, '')), await readFile(join(tree, path)));
    }
    const interpreter = await findPython('3.11', folder);
    const code = `
import sys; sys.path.insert(0, ${JSON.stringify(tree)})
import numpy as np
a = np.random.default_rng(0).normal(size=(200, 200)); b = a @ a.T + np.eye(200)
assert np.allclose(np.linalg.inv(b) @ b, np.eye(200), atol=1e-6) and np.allclose(np.linalg.cholesky(b) @ np.linalg.cholesky(b).T, b)
for kind in (np.float32, np.complex64, np.complex128): assert np.allclose((a.astype(kind) @ a.astype(kind).T).real, a @ a.T, atol=1e-2)
print("ok")`;
    const under = (kernel: string) =>
      promisify(execFile)(interpreter, ['-I', '-S', '-B', '-c', code], {
        env: { OPENBLAS_CORETYPE: kernel },
      }).then(
        ({ stdout }) => stdout.trim(),
        () => 'died',
      );
    // OpenBLAS falls back where the processor lacks what a kernel needs, so each of these can run anywhere with AVX2.
    for (const kernel of ['', 'Haswell', 'Zen', 'SkylakeX', 'Cooperlake'])
      expect(await under(kernel), kernel).toBe('ok');
    expect(await under('Nehalem')).toBe('died');
  });

  it('say of a kernel that is gone that it is not there, and know the others', async () => {
    const namesOf = (family: string) =>
      kernels.filter(({ name }) => name.endsWith(family)).map(({ name }) => name);
    const code = `import sys, ctypes, json; sys.path.insert(0, ${JSON.stringify(tree)}); import numpy
blas = ctypes.CDLL(${JSON.stringify(openblas)})
gone, kept = json.loads('${JSON.stringify([namesOf('_NEHALEM'), namesOf('_HASWELL')])}')
print(len(gone) > 500, any(hasattr(blas, name) for name in gone), len(kept) > 500, all(hasattr(blas, name) for name in kept))`;
    const interpreter = await findPython('3.11', folder);
    const { stdout } = await promisify(execFile)(interpreter, ['-I', '-S', '-B', '-c', code]);
    expect(stdout.trim()).toBe('True False True True');
  });
});

describe('unwind tables', () => {
  let folder: string;
  let tree: string;
  let solver = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'plimsoll-unwind-'));
    tree = join(folder, 'tree');
    const target = { python: '3.11', architecture: 'x86_64' } as const;
    await install(await resolveSets({ set: ['kiwisolver==1.4.5', 'numpy==1.24.3'] }, target), tree, target);
    solver = join(
      tree,
      listTree(tree).find(({ path }) => isNative(path) && path.includes('kiwi'))?.path ?? '',
    );
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** kiwisolver throws in C++ and catches in C++, then raises in Python. */
  const run = async () => {
    const code = `import sys; sys.path.insert(0, ${JSON.stringify(tree)})
import kiwisolver
x, s = kiwisolver.Variable("x"), kiwisolver.Solver()
s.addConstraint(x >= 10)
try: s.addConstraint(x <= 5)
except kiwisolver.UnsatisfiableConstraint: print("caught")`;
    return promisify(execFile)(await findPython('3.11', folder), ['-I', '-S', '-B', '-c', code]).then(
      ({ stdout }) => stdout.trim(),
      () => 'died',
    );
  };

  it('stay where code throws, and without them it would die', async () => {
    const bytes = await readFile(solver);
    const elf = readElf(bytes);
    expect(elf && unwindTables(elf, readDynamicSymbols(bytes, elf))).toEqual([]);
    const result = smaller(bytes);
    if (result) await replaceFile(solver, result.bytes);
    expect(await run()).toBe('caught');
    // As if the library asked for nothing that throws.
    const ranges = elf
      ? unwindTables({ ...elf, sections: elf.sections.filter(({ name }) => name !== '.gcc_except_table') }, [
          { name: 'malloc', value: 0, size: 0, isFunction: true, isDefined: false },
        ])
      : [];
    expect(ranges).toHaveLength(2);
    const cut = compactElf(bytes, { ranges, unwind: true });
    if (cut) await replaceFile(solver, cut);
    expect(await run()).toBe('died');
  });

  it('go where code is C or Fortran', async () => {
    const shares = await Promise.all(
      listTree(tree)
        .filter(({ path }) => isNative(path) && /openblas|random/.test(path))
        .map(async ({ path }) => {
          const bytes = await readFile(join(tree, path));
          const elf = readElf(bytes);
          return elf ? unwindTables(elf, readDynamicSymbols(bytes, elf)) : [];
        }),
    );
    expect(shares.length).toBeGreaterThan(5);
    for (const ranges of shares) expect(ranges).toHaveLength(2);
  });

  it('stay where the headers name a place that something else is in, too', () => {
    const section = (name: string, address: number, size: number) => ({
      name,
      type: 1,
      address,
      offset: address,
      size,
      link: 0,
    });
    const malloc = [{ name: 'malloc', value: 0, size: 0, isFunction: true, isDefined: false }];
    const sections = [section('.eh_frame', 0x2000, 0x100), section('.eh_frame_hdr', 0x1f00, 0x100)];
    const elf = { machine: 62, segments: [] };
    expect(unwindTables({ ...elf, sections }, malloc)).toHaveLength(2);
    expect(unwindTables({ ...elf, sections: [...sections, section('.rodata', 0x2080, 8)] }, malloc)).toEqual(
      [],
    );
    expect(unwindTables({ ...elf, sections: sections.slice(1) }, malloc)).toEqual([]);
  });
});

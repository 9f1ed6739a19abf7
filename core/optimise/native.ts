import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TreeFile } from '../build/tree.ts';
import { compactElf, readDynamicSymbols, readElf, readSymbols } from './elf.ts';
import { isUnusedKernel, unusedKernels } from './kernels.ts';
import type { Change } from './stash.ts';
import { ownersOf, type Unit } from './unit.ts';
import { unwindTables } from './unwind.ts';

/** Endings of shared libraries: `x.so`, `libx.so.3`, `x.cpython-311-x86_64-linux-gnu.so`. */
export const isNative = (path: string): boolean => /\.so(\.\d+)*$/.test(path);

function reasonOf(kernels: boolean, unwind: boolean): string {
  const parts = [
    'Symbols and sections that the loader never reads',
    ...(unwind ? ['unwind tables of code that neither throws nor catches'] : []),
    ...(kernels ? ['kernels for processors without AVX2, which Lambda does not have'] : []),
  ];
  return `${parts.join('; ')}.`;
}

/** A smaller library that loads the same, or undefined where there is none. */
export function smaller(bytes: Buffer): { bytes: Buffer; reason: string } | undefined {
  try {
    const elf = readElf(bytes);
    if (!elf) return undefined;
    const dynamic = readDynamicSymbols(bytes, elf);
    const kernels = unusedKernels(elf, readSymbols(bytes, elf));
    const unwind = unwindTables(elf, dynamic);
    const compacted = compactElf(bytes, {
      ranges: [...kernels, ...unwind],
      unwind: unwind.length > 0,
      hidden: kernels.length > 0 ? dynamic.flatMap((one, index) => (isUnusedKernel(one) ? [index] : [])) : [],
    });
    return compacted && { bytes: compacted, reason: reasonOf(kernels.length > 0, unwind.length > 0) };
  } catch (error) {
    // Headers that lie: the file stays as it is.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Every shared library that can be made smaller; the smaller ones are written below `out`. */
export function nativeChanges(unit: Unit, files: readonly TreeFile[], out: string): Change[] {
  const owners = ownersOf(unit);
  return files
    .filter(({ path }) => isNative(path) && !unit.own.has(path))
    .flatMap(({ path, bytes }): Change[] => {
      const original = join(unit.libraries, path);
      const result = smaller(readFileSync(original));
      if (!result) return [];
      const from = join(out, path);
      mkdirSync(dirname(from), { recursive: true });
      writeFileSync(from, result.bytes);
      // The zip says whether a file is executable.
      chmodSync(from, statSync(original).mode);
      const saved = bytes - result.bytes.length;
      const distribution = owners.get(path) ?? unit.name;
      return [
        {
          root: unit.libraries,
          path,
          instead: { from, to: path },
          saved,
          distribution,
          reason: result.reason,
        },
      ];
    });
}

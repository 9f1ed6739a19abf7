import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { listTree } from '../build/tree.ts';
import { compactElf, readElf, readSymbols } from './elf.ts';
import { unusedKernels } from './kernels.ts';
import type { Change } from './stash.ts';
import { ownersOf, type Unit } from './unit.ts';

/** Endings of shared libraries: `x.so`, `libx.so.3`, `x.cpython-311-x86_64-linux-gnu.so`. */
export const isNative = (path: string): boolean => /\.so(\.\d+)*$/.test(path);

/** A smaller library that loads the same, or undefined where there is none. */
export function smaller(bytes: Buffer): { bytes: Buffer; reason: string } | undefined {
  try {
    const elf = readElf(bytes);
    if (!elf) return undefined;
    const cuts = unusedKernels(elf, readSymbols(bytes, elf));
    const compacted = compactElf(bytes, cuts);
    if (!compacted) return undefined;
    const kernels =
      cuts.length > 0 ? ', and kernels for processors without AVX2, which Lambda does not have' : '';
    return { bytes: compacted, reason: `Symbols and sections that the loader never reads${kernels}.` };
  } catch (error) {
    // Headers that lie: the file stays as it is.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Every shared library that can be made smaller. */
export async function nativeChanges(unit: Unit): Promise<Change[]> {
  const owners = ownersOf(unit);
  const natives = (await listTree(unit.libraries)).filter(
    ({ path }) => isNative(path) && !unit.own.has(path),
  );
  const changes: Change[] = [];
  for (const { path, bytes } of natives) {
    const result = smaller(await readFile(join(unit.libraries, path)));
    if (!result) continue;
    changes.push({
      root: unit.libraries,
      path,
      content: result.bytes,
      saved: bytes - result.bytes.length,
      distribution: owners.get(path) ?? unit.name,
      reason: result.reason,
    });
  }
  return changes;
}

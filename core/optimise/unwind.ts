import type { Elf, ElfSymbol, Range } from './elf.ts';

/** Names that a library asks for when it, or what was linked into it, throws, catches or unwinds. */
const UNWINDS =
  /^(_Unwind_|__cxa_throw|__cxa_begin_catch|__gxx_personality|__register_frame|rust_eh|_ZS|_ZT)/;
const TABLES = ['.eh_frame', '.eh_frame_hdr'];

/**
 * The unwind tables of a library whose code neither throws nor catches: C and Fortran. They serve backtraces in debuggers,
 * and exceptions of C++ that pass through; C code that is called from Python lets none pass. A thread that ends in the
 * middle of such code still ends: glibc's forced unwind takes a frame without a table for the last one (nptl/unwind.c).
 */
export function unwindTables({ sections }: Elf, dynamic: readonly ElfSymbol[]): Range[] {
  const unwinds =
    dynamic.length === 0 ||
    dynamic.some(({ name }) => UNWINDS.test(name)) ||
    sections.some(({ name }) => name === '.gcc_except_table');
  if (unwinds) return [];
  const found = sections.filter(({ name, address }) => TABLES.includes(name) && address > 0);
  if (found.length !== TABLES.length) return [];
  // Headers that patchelf has not kept up to date would overlap something else.
  const overlaps = found.some((table) =>
    sections.some(
      ({ address, size, name }) =>
        address > 0 &&
        name !== table.name &&
        address < table.address + table.size &&
        table.address < address + size,
    ),
  );
  return overlaps ? [] : found.map(({ address, size }) => ({ start: address, end: address + size }));
}

/**
 * Reads and rewrites 64-bit little-endian ELF shared libraries (System V ABI, "Object Files" and "Program Loading").
 *
 * The loader needs what the PT_LOAD segments hold and nothing else. GNU strip finds out what that is from the section
 * headers, and breaks libraries that patchelf has moved about ("load command address/offset not page-aligned"); here it
 * follows from the program headers, which is what the loader itself reads.
 */

/** A range of addresses, [start, end). */
export interface Range {
  start: number;
  end: number;
}

export interface Segment {
  type: number;
  flags: number;
  offset: number;
  vaddr: number;
  filesz: number;
  memsz: number;
  align: number;
}

export interface Section {
  name: string;
  type: number;
  address: number;
  offset: number;
  size: number;
  link: number;
}

export interface ElfSymbol {
  name: string;
  value: number;
  size: number;
  isFunction: boolean;
  /** Whether the library holds it; else it asks others for it. */
  isDefined: boolean;
}

export interface Elf {
  machine: number;
  segments: Segment[];
  sections: Section[];
}

const PT_LOAD = 1;
const PT_GNU_EH_FRAME = 0x6474e550;
const PF_X = 1;
const PF_W = 2;
const ET_DYN = 3;
const SHT_SYMTAB = 2;
const SHT_RELA = 4;
const SHT_DYNSYM = 11;
const STT_FUNC = 2;
const STT_GNU_IFUNC = 10;
const STB_WEAK = 2;
export const EM_X86_64 = 62;
const HEADER_BYTES = 64;
const PHDR_BYTES = 56;
const SHDR_BYTES = 64;
const SYMBOL_BYTES = 24;
const RELA_BYTES = 24;
/** A place that holds the address of a symbol (psABI of x86_64, "Relocation types"). */
const R_X86_64_64 = 1;
/** The smallest page of both of Lambda's processors. */
export const PAGE = 4096;

/** Offsets and sizes are below 2^53: a library of Lambda's is below 250 MB. @throws RangeError on a lie */
function u64(bytes: Buffer, at: number): number {
  const value = bytes.readBigUInt64LE(at);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new RangeError(`ELF: ${value} at ${at} is no offset`);
  return Number(value);
}

function text(bytes: Buffer, table: Section | undefined, at: number): string {
  if (!table) return '';
  const start = table.offset + at;
  const end = bytes.indexOf(0, start);
  return bytes.toString('latin1', start, end < 0 ? start : end);
}

function readSections(bytes: Buffer): Section[] {
  const shoff = u64(bytes, 40);
  const count = bytes.readUInt16LE(60);
  if (shoff === 0 || shoff + count * SHDR_BYTES > bytes.length) return [];
  const sections = Array.from({ length: count }, (_, index) => {
    const at = shoff + index * SHDR_BYTES;
    const name = bytes.readUInt32LE(at);
    return {
      name,
      type: bytes.readUInt32LE(at + 4),
      address: u64(bytes, at + 16),
      offset: u64(bytes, at + 24),
      size: u64(bytes, at + 32),
      link: bytes.readUInt32LE(at + 40),
    };
  });
  const names = sections[bytes.readUInt16LE(62)];
  return sections.map((section) => ({
    ...section,
    name: text(bytes, names ? { ...names, name: '' } : undefined, section.name),
  }));
}

/** @returns undefined where this is no 64-bit little-endian shared library. @throws RangeError where its headers lie */
export function readElf(bytes: Buffer): Elf | undefined {
  const isElf =
    bytes.length > HEADER_BYTES && bytes.readUInt32BE(0) === 0x7f454c46 && bytes[4] === 2 && bytes[5] === 1;
  if (!isElf || bytes.readUInt16LE(16) !== ET_DYN || bytes.readUInt16LE(54) !== PHDR_BYTES) return undefined;
  const phoff = u64(bytes, 32);
  const segments = Array.from({ length: bytes.readUInt16LE(56) }, (_, index): Segment => {
    const at = phoff + index * PHDR_BYTES;
    return {
      type: bytes.readUInt32LE(at),
      flags: bytes.readUInt32LE(at + 4),
      offset: u64(bytes, at + 8),
      vaddr: u64(bytes, at + 16),
      filesz: u64(bytes, at + 32),
      memsz: u64(bytes, at + 40),
      align: u64(bytes, at + 48),
    };
  });
  const beyond = segments.some(({ offset, filesz }) => offset + filesz > bytes.length);
  return beyond ? undefined : { machine: bytes.readUInt16LE(18), segments, sections: readSections(bytes) };
}

function symbolsOf(bytes: Buffer, sections: readonly Section[], wanted: number): ElfSymbol[] {
  const table = sections.find(({ type }) => type === wanted);
  const names = table && sections[table.link];
  if (!table || !names || table.offset + table.size > bytes.length) return [];
  return Array.from({ length: Math.floor(table.size / SYMBOL_BYTES) }, (_, index) => {
    const at = table.offset + index * SYMBOL_BYTES;
    return {
      name: text(bytes, names, bytes.readUInt32LE(at)),
      isFunction: [STT_FUNC, STT_GNU_IFUNC].includes((bytes[at + 4] ?? 0) & 15),
      isDefined: bytes.readUInt16LE(at + 6) !== 0,
      value: u64(bytes, at + 8),
      size: u64(bytes, at + 16),
    };
  });
}

/** The full symbol table, which strip removes; empty where it is gone already. */
export const readSymbols = (bytes: Buffer, { sections }: Elf): ElfSymbol[] =>
  symbolsOf(bytes, sections, SHT_SYMTAB);

/** What the library offers to others and asks of them. */
export const readDynamicSymbols = (bytes: Buffer, { sections }: Elf): ElfSymbol[] =>
  symbolsOf(bytes, sections, SHT_DYNSYM);

/** Addresses that hold code. */
export function codeOf({ segments }: Elf): Range[] {
  return segments
    .filter(({ type, flags }) => type === PT_LOAD && flags & PF_X)
    .map(({ vaddr, filesz }) => ({ start: vaddr, end: vaddr + filesz }));
}

const inward = ({ start, end }: Range): Range => ({
  start: Math.ceil(start / PAGE) * PAGE,
  end: Math.floor(end / PAGE) * PAGE,
});

/** Of one segment, the pieces that are left when whole pages of it are cut out. Its ends stay: other segments may share their pages. */
function piecesOf(segment: Segment, cuts: readonly Range[]): Segment[] {
  const end = segment.vaddr + segment.filesz;
  const inside = cuts
    .map(inward)
    .filter((cut) => cut.end > cut.start && cut.start > segment.vaddr && cut.end < end)
    .sort((a, b) => a.start - b.start);
  const pieces: Segment[] = [];
  let start = segment.vaddr;
  for (const cut of inside) {
    if (cut.start > start)
      pieces.push({
        ...segment,
        vaddr: start,
        offset: segment.offset + start - segment.vaddr,
        filesz: cut.start - start,
        memsz: cut.start - start,
      });
    start = cut.end;
  }
  pieces.push({
    ...segment,
    vaddr: start,
    offset: segment.offset + start - segment.vaddr,
    filesz: end - start,
    memsz: segment.memsz - (start - segment.vaddr),
  });
  return pieces;
}

interface Placed extends Segment {
  /** Where the bytes go. */
  target: number;
}

/** Each piece goes to the next offset that is congruent to its address, as the loader demands. */
function place(pieces: readonly Segment[]): { placed: Placed[]; end: number } {
  let cursor = 0;
  const placed = pieces.map((piece): Placed => {
    const modulus = Math.max(piece.align, PAGE);
    const target = cursor + ((((piece.vaddr - cursor) % modulus) + modulus) % modulus);
    cursor = target + piece.filesz;
    return { ...piece, target };
  });
  return { placed, end: cursor };
}

function writeSegment(bytes: Buffer, at: number, segment: Segment, offset: number): void {
  bytes.writeUInt32LE(segment.type, at);
  bytes.writeUInt32LE(segment.flags, at + 4);
  for (const [index, value] of [
    offset,
    segment.vaddr,
    segment.vaddr,
    segment.filesz,
    segment.memsz,
    segment.align,
  ].entries()) {
    bytes.writeBigUInt64LE(BigInt(value), at + 8 + index * 8);
  }
}

/** Zeroes what was cut and is still mapped: it compresses to nothing. */
function clear(bytes: Buffer, { vaddr, filesz, target }: Placed, ranges: readonly Range[]): void {
  for (const range of ranges) {
    const start = Math.max(range.start, vaddr);
    const end = Math.min(range.end, vaddr + filesz);
    if (end > start) bytes.fill(0, target + start - vaddr, target + end - vaddr);
  }
}

/** Where an address is in the new file, or undefined where so many bytes are not there. */
function offsetOf(placed: readonly Placed[], address: number, size: number): number | undefined {
  const home = placed.find(({ vaddr, filesz }) => address >= vaddr && address + size <= vaddr + filesz);
  return home && home.target + address - home.vaddr;
}

/**
 * Makes definitions of functions weak references, which nobody has to resolve: dlsym finds nothing, and says so. Places
 * that would hold their addresses stay empty, which spares the loader a search for each.
 */
function hide(
  bytes: Buffer,
  { sections }: Elf,
  placed: readonly Placed[],
  hidden: ReadonlySet<number>,
): void {
  const table = sections.find(({ type }) => type === SHT_DYNSYM);
  if (!table || hidden.size === 0) return;
  for (const index of hidden) {
    const at = offsetOf(placed, table.address + index * SYMBOL_BYTES, SYMBOL_BYTES);
    if (at === undefined) continue;
    bytes[at + 4] = (STB_WEAK << 4) | STT_FUNC;
    bytes.fill(0, at + 6, at + SYMBOL_BYTES);
  }
  for (const { address, size } of sections.filter(({ type }) => type === SHT_RELA)) {
    const at = offsetOf(placed, address, size);
    if (at === undefined) continue;
    for (let one = at; one + RELA_BYTES <= at + size; one += RELA_BYTES) {
      const isPointer = bytes.readUInt32LE(one + 8) === R_X86_64_64;
      // All zeros is R_X86_64_NONE.
      if (isPointer && hidden.has(bytes.readUInt32LE(one + 12))) bytes.fill(0, one, one + RELA_BYTES);
    }
  }
}

/** What goes from a library besides that which the loader does not map. */
export interface Cuts {
  /** Addresses that nothing reads: whole pages of them are not mapped any more, the rest is zero. None is writable. */
  ranges: readonly Range[];
  /** Whether its unwind tables are among them. */
  unwind?: boolean;
  /** Functions that are among them, by index in the dynamic symbol table: whoever asks for one is told that it is not there. */
  hidden?: readonly number[];
}

/**
 * The same library with what the loader maps, and nothing else: no section headers, no full symbol table, no debugging
 * information, no gaps. Addresses stay as they are.
 * @returns undefined where it is no shared library, or would not get smaller
 */
export function compactElf(bytes: Buffer, cuts: Cuts = { ranges: [] }): Buffer | undefined {
  const elf = readElf(bytes);
  const loads = elf?.segments.filter(({ type }) => type === PT_LOAD).sort((a, b) => a.offset - b.offset);
  // The first segment carries the file's own header, which stays where it is.
  if (!elf || !loads || loads[0]?.offset !== 0 || loads[0].vaddr !== 0) return undefined;
  const isWritable = ({ flags }: Segment) => (flags & PF_W) !== 0;
  const { placed, end } = place(
    loads.flatMap((segment) => piecesOf(segment, isWritable(segment) ? [] : cuts.ranges)),
  );
  const others = elf.segments.filter(
    ({ type }) => type !== PT_LOAD && !(cuts.unwind && type === PT_GNU_EH_FRAME),
  );
  // On a page of its own behind all that is mapped: the loader clears the rest of a page that a segment ends in.
  const phoff = Math.ceil(end / PAGE) * PAGE;
  const count = placed.length + others.length;
  const size = phoff + count * PHDR_BYTES;
  if (size >= bytes.length || count > 0xffff) return undefined;
  const result = Buffer.alloc(size);
  for (const { offset, filesz, target } of placed) bytes.copy(result, target, offset, offset + filesz);
  for (const piece of placed.filter((one) => !isWritable(one))) clear(result, piece, cuts.ranges);
  hide(result, elf, placed, new Set(cuts.hidden));
  const moved = ({ vaddr, offset, filesz }: Segment): number => {
    const home = placed.find((piece) => vaddr >= piece.vaddr && vaddr + filesz <= piece.vaddr + piece.filesz);
    return home ? home.target + vaddr - home.vaddr : filesz === 0 ? 0 : offset;
  };
  // PT_LOAD in the order of addresses, the rest behind: the order that the loader asks for.
  const table: [Segment, number][] = [
    ...placed.toSorted((a, b) => a.vaddr - b.vaddr).map((piece): [Segment, number] => [piece, piece.target]),
    ...others.map((segment): [Segment, number] => [segment, moved(segment)]),
  ];
  if (others.some((segment) => segment.filesz > 0 && moved(segment) + segment.filesz > phoff))
    return undefined;
  for (const [index, [segment, offset]] of table.entries())
    writeSegment(result, phoff + index * PHDR_BYTES, segment, offset);
  result.writeBigUInt64LE(BigInt(phoff), 32);
  result.writeUInt16LE(count, 56);
  result.writeBigUInt64LE(0n, 40);
  result.writeUInt16LE(0, 60);
  result.writeUInt16LE(0, 62);
  return result;
}

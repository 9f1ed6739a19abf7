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
  offset: number;
  size: number;
  link: number;
}

export interface ElfSymbol {
  name: string;
  value: number;
  size: number;
  isFunction: boolean;
}

export interface Elf {
  machine: number;
  segments: Segment[];
  sections: Section[];
}

const PT_LOAD = 1;
const PF_X = 1;
const ET_DYN = 3;
const SHT_SYMTAB = 2;
const STT_FUNC = 2;
export const EM_X86_64 = 62;
const HEADER_BYTES = 64;
const PHDR_BYTES = 56;
const SHDR_BYTES = 64;
const SYMBOL_BYTES = 24;
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

/** The full symbol table, which strip removes; empty where it is gone already. */
export function readSymbols(bytes: Buffer, { sections }: Elf): ElfSymbol[] {
  const table = sections.find(({ type }) => type === SHT_SYMTAB);
  const names = table && sections[table.link];
  if (!table || !names || table.offset + table.size > bytes.length) return [];
  return Array.from({ length: Math.floor(table.size / SYMBOL_BYTES) }, (_, index) => {
    const at = table.offset + index * SYMBOL_BYTES;
    return {
      name: text(bytes, names, bytes.readUInt32LE(at)),
      isFunction: ((bytes[at + 4] ?? 0) & 15) === STT_FUNC,
      value: u64(bytes, at + 8),
      size: u64(bytes, at + 16),
    };
  });
}

/** Addresses that hold code. */
export function codeOf({ segments }: Elf): Range[] {
  return segments
    .filter(({ type, flags }) => type === PT_LOAD && flags & PF_X)
    .map(({ vaddr, filesz }) => ({ start: vaddr, end: vaddr + filesz }));
}

/** Of one segment, the pieces that are left when whole pages of it are cut out. */
function piecesOf(segment: Segment, cuts: readonly Range[]): Segment[] {
  const end = segment.vaddr + segment.filesz;
  const inside = cuts
    .filter((cut) => cut.start > segment.vaddr && cut.end < end)
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

/**
 * The same library with what the loader maps, and nothing else: no section headers, no full symbol table, no debugging
 * information, no gaps. Addresses stay as they are.
 * @param cuts whole pages of code that go, too; nothing is mapped there then
 * @returns undefined where it is no shared library, or would not get smaller
 */
export function compactElf(bytes: Buffer, cuts: readonly Range[] = []): Buffer | undefined {
  const elf = readElf(bytes);
  const loads = elf?.segments.filter(({ type }) => type === PT_LOAD).sort((a, b) => a.offset - b.offset);
  // The first segment carries the file's own header, which stays where it is.
  if (!elf || !loads || loads[0]?.offset !== 0 || loads[0].vaddr !== 0) return undefined;
  const { placed, end } = place(
    loads.flatMap((segment) => piecesOf(segment, segment.flags & PF_X ? cuts : [])),
  );
  const others = elf.segments.filter(({ type }) => type !== PT_LOAD);
  // On a page of its own behind all that is mapped: the loader clears the rest of a page that a segment ends in.
  const phoff = Math.ceil(end / PAGE) * PAGE;
  const count = placed.length + others.length;
  const size = phoff + count * PHDR_BYTES;
  if (size >= bytes.length || count > 0xffff) return undefined;
  const result = Buffer.alloc(size);
  for (const { offset, filesz, target } of placed) bytes.copy(result, target, offset, offset + filesz);
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

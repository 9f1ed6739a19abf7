import type { Entry } from 'yauzl';
import { UnsafeArchiveError } from '../errors.ts';

/** What of a zip's central directory decides whether it may be unpacked. */
export type ZipEntry = Pick<
  Entry,
  | 'fileName'
  | 'compressedSize'
  | 'uncompressedSize'
  | 'compressionMethod'
  | 'externalFileAttributes'
  | 'versionMadeBy'
  | 'relativeOffsetOfLocalHeader'
  | 'generalPurposeBitFlag'
>;

export interface ZipLimits {
  entries: number;
  /** All entries together, unzipped. */
  bytes: number;
}

const STORED = 0;
const DEFLATED = 8;
/** Deflate's own bound: 258 bytes a 2 bits (RFC 1951), 1032 to 1; zlib's technical notes. */
const MAX_DEFLATE_RATIO = 1032;
/** Deflate of incompressible data costs 5 bytes a block of at most 65,535, and a few at the end (RFC 1951, 3.2.4). */
const deflatedAtMost = (bytes: number) => bytes + 5 * (Math.floor(bytes / 16_383) + 1) + 64;
/** Local header without name and extra field (APPNOTE 4.3.7). */
const LOCAL_HEADER_BYTES = 30;

const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const S_IFDIR = 0o040000;

function badName(name: string): string | undefined {
  if (name === '' || name.includes('\0') || name.includes('\\')) return 'has a name that is not a path';
  if (name.startsWith('/') || /^[A-Za-z]:/.test(name)) return 'is an absolute path';
  const parts = name.replace(/\/$/, '').split('/');
  if (parts.includes('..')) return 'climbs out of its folder';
  if (parts.includes('') || parts.includes('.')) return 'has a name with two spellings';
  return undefined;
}

function badType(entry: ZipEntry): string | undefined {
  const type = (entry.externalFileAttributes >>> 16) & S_IFMT;
  // Zips made on Windows carry no Unix mode: 0 there is a plain file.
  if (type === 0 || type === S_IFREG || type === S_IFDIR) return undefined;
  return 'is a link or a special file';
}

function badSize({
  compressionMethod,
  compressedSize,
  uncompressedSize,
  generalPurposeBitFlag,
}: ZipEntry): string | undefined {
  if (generalPurposeBitFlag & 1) return 'is encrypted';
  if (compressionMethod === STORED) {
    return compressedSize === uncompressedSize
      ? undefined
      : `is stored, yet says ${compressedSize} bytes here and ${uncompressedSize} unzipped`;
  }
  if (compressionMethod !== DEFLATED)
    return `is compressed by method ${compressionMethod}; Lambda unpacks deflate only`;
  if (uncompressedSize > compressedSize * MAX_DEFLATE_RATIO)
    return `says ${uncompressedSize} bytes from ${compressedSize}, more than deflate can hold`;
  if (compressedSize > deflatedAtMost(uncompressedSize))
    return `says ${uncompressedSize} bytes, but takes ${compressedSize} compressed`;
  return undefined;
}

/** Entries whose data lie over one another, or beyond the data's end: the mark of a zip bomb, or of a lie. */
function overlap(entries: readonly ZipEntry[], dataEnd: number): ZipEntry | undefined {
  const sorted = [...entries].sort((a, b) => a.relativeOffsetOfLocalHeader - b.relativeOffsetOfLocalHeader);
  return sorted.find((entry, index) => {
    const end =
      entry.relativeOffsetOfLocalHeader +
      LOCAL_HEADER_BYTES +
      Buffer.byteLength(entry.fileName) +
      entry.compressedSize;
    return end > (sorted[index + 1]?.relativeOffsetOfLocalHeader ?? dataEnd);
  });
}

/**
 * Checks a zip by its central directory alone.
 * @param name of the zip, for messages
 * @param dataEnd offset at which the central directory begins, in bytes
 * @throws UnsafeArchiveError naming the entry: path traversal, absolute path, link, duplicate, lying size, overlap,
 * too many entries, too many bytes
 */
export function checkEntries(
  name: string,
  entries: readonly ZipEntry[],
  dataEnd: number,
  limits: ZipLimits,
): void {
  const refuse = (entry: string, problem: string): never => {
    throw new UnsafeArchiveError(
      `${name}: entry "${entry.slice(0, 200)}" ${problem}; make the zip anew from plain files`,
    );
  };
  if (entries.length > limits.entries)
    throw new UnsafeArchiveError(`${name}: ${entries.length} entries, at most ${limits.entries}`);
  const seen = new Set<string>();
  let total = 0;
  for (const entry of entries) {
    const problem = badName(entry.fileName) ?? badType(entry) ?? badSize(entry);
    if (problem) refuse(entry.fileName, problem);
    const key = entry.fileName.replace(/\/$/, '');
    if (seen.has(key)) refuse(entry.fileName, 'is there twice');
    seen.add(key);
    total += entry.uncompressedSize;
    if (total > limits.bytes)
      throw new UnsafeArchiveError(`${name}: more than ${limits.bytes} bytes unzipped`);
  }
  for (const path of seen) {
    for (let slash = path.indexOf('/'); slash > 0; slash = path.indexOf('/', slash + 1)) {
      const parent = path.slice(0, slash);
      if (seen.has(parent) && !entries.some((entry) => entry.fileName === `${parent}/`))
        refuse(parent, 'is a file and a folder');
    }
  }
  const over = overlap(entries, dataEnd);
  if (over) refuse(over.fileName, 'lies over the entry that follows, or beyond the data');
}

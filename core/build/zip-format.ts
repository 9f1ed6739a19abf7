import { crc32 } from 'node:zlib';

/** One deflated file of a zip, and where its local header begins. */
export interface ZipEntry {
  name: Buffer;
  crc: number;
  deflatedBytes: number;
  bytes: number;
  /** Unix mode, type included. */
  mode: number;
  offset: number;
}

// APPNOTE.TXT 6.3.10 of PKWARE. Names are UTF-8 (flag 11); sizes stand in the header, before the data.
const [LOCAL, CENTRAL, END] = [0x04034b50, 0x02014b50, 0x06054b50];
const [ZIP64_END, ZIP64_LOCATOR] = [0x06064b50, 0x07064b50];
const [NEEDS, NEEDS_ZIP64, MADE_BY_UNIX] = [20, 45, (3 << 8) | 63];
const UTF8 = 0x0800;
const DEFLATED = 8;
/** 1 January 1980, the first day that there is: zips of the same files are the same bytes. */
const [TIME, DATE] = [0, (1 << 5) | 1];
const [MAX16, MAX32] = [0xffff, 0xffffffff];

/** What both headers of an entry say in the same order. */
function common({ name, crc, deflatedBytes, bytes }: ZipEntry): Buffer {
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(NEEDS, 0);
  fields.writeUInt16LE(UTF8, 2);
  fields.writeUInt16LE(DEFLATED, 4);
  fields.writeUInt16LE(TIME, 6);
  fields.writeUInt16LE(DATE, 8);
  fields.writeUInt32LE(crc, 10);
  fields.writeUInt32LE(deflatedBytes, 14);
  fields.writeUInt32LE(bytes, 18);
  fields.writeUInt16LE(name.length, 22);
  return fields;
}

function uint32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
}

/** What stands before the data of an entry. */
export const localHeader = (entry: ZipEntry): Buffer =>
  Buffer.concat([uint32(LOCAL), common(entry), entry.name]);

function centralHeader(entry: ZipEntry): Buffer {
  const madeBy = Buffer.alloc(2);
  madeBy.writeUInt16LE(MADE_BY_UNIX);
  const rest = Buffer.alloc(14);
  rest.writeUInt32LE((entry.mode << 16) >>> 0, 6);
  rest.writeUInt32LE(entry.offset, 10);
  return Buffer.concat([uint32(CENTRAL), madeBy, common(entry), rest, entry.name]);
}

/** Where the end would hold more entries than two bytes can count. */
function zip64End(entries: number, bytes: number, offset: number): Buffer {
  const end = Buffer.alloc(56 + 20);
  end.writeUInt32LE(ZIP64_END, 0);
  end.writeBigUInt64LE(44n, 4);
  end.writeUInt16LE(MADE_BY_UNIX, 12);
  end.writeUInt16LE(NEEDS_ZIP64, 14);
  end.writeBigUInt64LE(BigInt(entries), 24);
  end.writeBigUInt64LE(BigInt(entries), 32);
  end.writeBigUInt64LE(BigInt(bytes), 40);
  end.writeBigUInt64LE(BigInt(offset), 48);
  end.writeUInt32LE(ZIP64_LOCATOR, 56);
  end.writeBigUInt64LE(BigInt(offset + bytes), 64);
  end.writeUInt32LE(1, 72);
  return end;
}

/** The central directory, which ends a zip. @param offset where it begins @throws RangeError beyond 4 GiB */
export function centralDirectory(entries: readonly ZipEntry[], offset: number): Buffer {
  if (offset > MAX32) throw new RangeError(`a zip of ${offset} bytes is longer than 4 GiB`);
  const directory = Buffer.concat(entries.map(centralHeader));
  const isLong = entries.length >= MAX16;
  const end = Buffer.alloc(22);
  end.writeUInt32LE(END, 0);
  end.writeUInt16LE(Math.min(entries.length, MAX16), 8);
  end.writeUInt16LE(Math.min(entries.length, MAX16), 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([
    directory,
    ...(isLong ? [zip64End(entries.length, directory.length, offset)] : []),
    end,
  ]);
}

/** Name and data of an entry, before its place is known. */
export const entryOf = (path: string, mode: number, content: Buffer, deflated: Buffer): ZipEntry => ({
  name: Buffer.from(path),
  crc: crc32(content),
  deflatedBytes: deflated.length,
  bytes: content.length,
  mode,
  offset: 0,
});

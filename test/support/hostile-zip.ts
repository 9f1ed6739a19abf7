import { crc32 } from 'node:zlib';

export interface RawEntry {
  name: string;
  text: string;
  /** Unix mode with its type bits. @default a plain file */
  mode?: number;
  /** What the headers say of the size. @default the truth */
  claims?: number;
  /** Offset of the data, as the directory says it. @default the truth */
  offset?: number;
}

function header(signature: number, fields: readonly (readonly [bytes: 2 | 4, value: number])[]): Buffer {
  const buffer = Buffer.alloc(4 + fields.reduce((sum, [bytes]) => sum + bytes, 0));
  buffer.writeUInt32LE(signature, 0);
  let at = 4;
  for (const [bytes, value] of fields) {
    buffer.writeUIntLE(value, at, bytes);
    at += bytes;
  }
  return buffer;
}

/** Writes a zip of stored entries, lies included, that no well-behaved library would write (APPNOTE 4.3). */
export function writeZipWith(entries: readonly RawEntry[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const name = Buffer.from(entry.name);
    const data = Buffer.from(entry.text);
    const size = entry.claims ?? data.length;
    const common = [
      [2, 20],
      [2, 0],
      [2, 0],
      [2, 0],
      [2, 0x21],
      [4, crc32(data)],
      [4, size],
      [4, size],
      [2, name.length],
      [2, 0],
    ] as const;
    const local = Buffer.concat([header(0x04034b50, common), name, data]);
    const attributes = ((entry.mode ?? 0o100644) << 16) >>> 0;
    directory.push(
      header(0x02014b50, [
        [2, 0x031e],
        ...common,
        [2, 0],
        [2, 0],
        [2, 0],
        [4, attributes],
        [4, entry.offset ?? offset],
      ]),
      name,
    );
    parts.push(local);
    offset += local.length;
  }
  const central = Buffer.concat(directory);
  const end = header(0x06054b50, [
    [2, 0],
    [2, 0],
    [2, entries.length],
    [2, entries.length],
    [4, central.length],
    [4, offset],
    [2, 0],
  ]);
  return Buffer.concat([...parts, central, end]);
}

import type { FileHandle } from 'node:fs/promises';
import { PassThrough, type Readable } from 'node:stream';
import { type Entry, fromRandomAccessReader, RandomAccessReader, type ZipFile } from 'yauzl';
import { messageOf, UnsafeArchiveError } from '../errors.ts';

/** Reads bytes [start, end) of a zip, wherever it lies. */
export type ReadRange = (start: number, end: number) => Promise<Buffer>;

/** Reads ranges of a file; one that reaches beyond its end comes short. */
export const fileRanges =
  (file: FileHandle): ReadRange =>
  async (start, end) => {
    const buffer = Buffer.alloc(end - start);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, start);
    return buffer.subarray(0, bytesRead);
  };

/** The zip's last bytes are read at once: they hold the end record and, for most zips, the whole directory. */
const TAIL_BYTES = 512 * 1024;

class RangeReader extends RandomAccessReader {
  private tail: Promise<Buffer> | undefined;

  constructor(
    private readonly size: number,
    private readonly readRange: ReadRange,
  ) {
    super();
  }

  private async bytes(start: number, end: number): Promise<Buffer> {
    const tailStart = Math.max(0, this.size - TAIL_BYTES);
    if (start < tailStart) return this.readRange(start, end);
    this.tail ??= this.readRange(tailStart, this.size);
    return (await this.tail).subarray(start - tailStart, end - tailStart);
  }

  override _readStreamForRange(start: number, end: number): Readable {
    const stream = new PassThrough();
    this.bytes(start, end).then(
      (buffer) => stream.end(buffer),
      (error: Error) => stream.destroy(error),
    );
    return stream;
  }
}

export interface CentralDirectory {
  entries: Entry[];
  /** Offset at which the directory begins: no entry's data may lie beyond. */
  dataEnd: number;
}

function open(reader: RandomAccessReader, size: number): Promise<ZipFile> {
  return new Promise((resolve, reject) => {
    // Names come as bytes: yauzl would refuse some without saying which entry, and checkEntries answers for all.
    const options = { lazyEntries: true, autoClose: false, decodeStrings: false };
    fromRandomAccessReader(reader, size, options, (error, zip) => (error ? reject(error) : resolve(zip)));
  });
}

function collect(zip: ZipFile, maxEntries: number): Promise<Entry[]> {
  return new Promise((resolve, reject) => {
    const entries: Entry[] = [];
    if (zip.entryCount > maxEntries)
      return reject(new Error(`${zip.entryCount} entries, at most ${maxEntries}`));
    zip.on('entry', (entry: Entry) => {
      entry.fileName = (entry.fileName as unknown as Buffer).toString('utf8');
      entries.push(entry);
      zip.readEntry();
    });
    zip.on('end', () => resolve(entries));
    zip.on('error', reject);
    zip.readEntry();
  });
}

/**
 * Reads a zip's central directory through ranges; the data between are never fetched.
 * @param size of the whole zip, in bytes
 * @throws UnsafeArchiveError when it is no zip
 */
export async function readCentralDirectory(
  name: string,
  size: number,
  readRange: ReadRange,
  maxEntries: number,
): Promise<CentralDirectory> {
  try {
    const zip = await open(new RangeReader(size, readRange), size);
    // Before the first entry is read, the cursor stands where the directory begins.
    const dataEnd = (zip as unknown as { readEntryCursor: number }).readEntryCursor;
    return { entries: await collect(zip, maxEntries), dataEnd };
  } catch (error) {
    throw new UnsafeArchiveError(`${name}: is not a zip that can be read: ${messageOf(error)}`);
  }
}

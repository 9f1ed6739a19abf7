import { createWriteStream } from 'node:fs';
import { chmod, mkdir, open as openFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createInflateRaw } from 'node:zlib';
import { messageOf, UnsafeArchiveError } from '../errors.ts';
import { fileRanges, readCentralDirectory } from '../size/central-directory.ts';
import { checkEntries, type ZipEntry, type ZipLimits } from '../size/entries.ts';

const LOCAL_HEADER_BYTES = 30;

/** Lets exactly `expected` bytes pass. */
function exactly(expected: number, problem: (seen: number) => Error): Transform {
  let seen = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seen += chunk.length;
      if (seen > expected) done(problem(seen));
      else done(null, chunk);
    },
    flush(done) {
      done(seen === expected ? null : problem(seen));
    },
  });
}

/**
 * Unpacks a zip from somewhere else into an empty folder: every entry checked before the first byte is written, and
 * every size held to while writing.
 * @param name what the zip is called in messages
 * @returns paths of the files, relative to the folder
 * @throws UnsafeArchiveError
 */
export async function unpack(
  zipPath: string,
  folder: string,
  name: string,
  limits: ZipLimits,
): Promise<string[]> {
  const file = await openFile(zipPath);
  try {
    const { size } = await file.stat();
    const readRange = fileRanges(file);
    const { entries, dataEnd } = await readCentralDirectory(name, size, readRange, limits.entries);
    checkEntries(name, entries, dataEnd, limits);
    const extract = async (entry: ZipEntry) => {
      const target = join(folder, entry.fileName);
      await mkdir(dirname(target), { recursive: true });
      const header = await readRange(
        entry.relativeOffsetOfLocalHeader,
        entry.relativeOffsetOfLocalHeader + LOCAL_HEADER_BYTES,
      );
      const start =
        entry.relativeOffsetOfLocalHeader +
        LOCAL_HEADER_BYTES +
        header.readUInt16LE(26) +
        header.readUInt16LE(28);
      const problem = (seen: number) =>
        new UnsafeArchiveError(
          `${name}: entry "${entry.fileName}" says ${entry.uncompressedSize} bytes and holds ${seen > entry.uncompressedSize ? 'more' : seen}`,
        );
      const source =
        entry.compressedSize === 0
          ? Readable.from([])
          : file.createReadStream({ start, end: start + entry.compressedSize - 1, autoClose: false });
      const inflate = entry.compressionMethod === 8 ? [createInflateRaw()] : [];
      await pipeline([
        source,
        ...inflate,
        exactly(entry.uncompressedSize, problem),
        createWriteStream(target),
      ]);
      if ((entry.externalFileAttributes >>> 16) & 0o111) await chmod(target, 0o755);
      return entry.fileName;
    };
    const files = entries.filter(({ fileName }) => !fileName.endsWith('/'));
    const written: string[] = [];
    for (const entry of files) written.push(await extract(entry));
    return written;
  } catch (error) {
    if (error instanceof UnsafeArchiveError) throw error;
    throw new UnsafeArchiveError(`${name}: cannot be unpacked: ${messageOf(error)}`);
  } finally {
    await file.close();
  }
}

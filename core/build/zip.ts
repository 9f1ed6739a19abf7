import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { deflateRaw, deflateRawSync } from 'node:zlib';
import { namingPath } from '../system-errors.mjs';
import { centralDirectory, entryOf, localHeader, type ZipEntry } from './zip-format.ts';

/** Measured on the example: level 6 takes a third longer than 5 for 0.6 % fewer bytes, level 9 five times as long for 1 %. */
const LEVEL = 5;
/** Files above this size, in bytes, are compressed by other threads: for smaller ones the way there costs more than the work. */
const SMALL = 64 * 1024;
/** So many are compressed at once: each takes a quarter of a megabyte, and all of 50,000 at once took the machine's memory. */
export const AT_ONCE = 16;
/** Bytes that are written at once. */
const CHUNK = 1024 * 1024;

const deflate = promisify(deflateRaw);

export interface ZipResult {
  /** Size of the zip itself. */
  bytes: number;
  /** Of the whole zip, hexadecimal. */
  sha256: string;
}

/** A file whose compression may still be under way. */
interface Pending {
  path: string;
  mode: number;
  content: Buffer;
  deflated: Buffer | Promise<Buffer>;
}

function begin(tree: string, path: string, source: string = join(tree, path)): Pending {
  const mode = (statSync(source).mode & 0o111) === 0 ? 0o100644 : 0o100755;
  // Synchronous: the threads that would read compress, and a read would wait behind all that is queued.
  const content = readFileSync(source);
  const options = { level: LEVEL };
  const deflated = content.length > SMALL ? deflate(content, options) : deflateRawSync(content, options);
  return { path, mode, content, deflated };
}

/** Files in their order, the next ones being compressed meanwhile. @param start reads a file and begins to compress it */
export async function* compressed(
  tree: string,
  paths: readonly string[],
  start: typeof begin = begin,
): AsyncGenerator<{ entry: ZipEntry; deflated: Buffer }> {
  const pending: Pending[] = [];
  let next = 0;
  while (next < paths.length || pending.length > 0) {
    for (; pending.length < AT_ONCE && next < paths.length; next++)
      pending.push(start(tree, paths[next] ?? ''));
    const first = pending.shift();
    if (!first) return;
    const deflated = await first.deflated;
    yield { entry: entryOf(first.path, first.mode, first.content, deflated), deflated };
  }
}

async function write(
  file: FileHandle,
  tree: string,
  paths: readonly string[],
  instead: ReadonlyMap<string, string>,
): Promise<ZipResult> {
  const start = (home: string, path: string) => begin(home, path, instead.get(path));
  const hash = createHash('sha256');
  let [bytes, waiting, chunks] = [0, 0, [] as Buffer[]];
  const flush = async () => {
    const all = Buffer.concat(chunks);
    [waiting, chunks] = [0, []];
    hash.update(all);
    await file.writeFile(all);
  };
  const add = async (...buffers: Buffer[]) => {
    for (const buffer of buffers) {
      chunks.push(buffer);
      bytes += buffer.length;
      waiting += buffer.length;
    }
    if (waiting > CHUNK) await flush();
  };
  const entries: ZipEntry[] = [];
  for await (const { entry, deflated } of compressed(tree, paths, start)) {
    entry.offset = bytes;
    entries.push(entry);
    await add(localHeader(entry), deflated);
  }
  await add(centralDirectory(entries, bytes));
  await flush();
  return { bytes, sha256: hash.digest('hex') };
}

/**
 * Writes a zip whose bytes follow from names, contents and executable bits alone: sorted, one time stamp, two modes.
 * Large files are compressed in parallel by Node's thread pool.
 * @param files paths relative to the tree; they are the names in the zip
 * @param instead files that are taken from elsewhere, by path. Default: none
 */
export async function writeZip(
  tree: string,
  files: readonly string[],
  target: string,
  instead: ReadonlyMap<string, string> = new Map(),
): Promise<ZipResult> {
  const file = await namingPath(target, open(target, 'w'));
  try {
    return await namingPath(target, write(file, tree, [...files].sort(), instead));
  } finally {
    await file.close();
  }
}

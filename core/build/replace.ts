import { copyFile, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Puts bytes in the place of a file, whose mode they get. Never into it: it may be a link to uv's cache, which all projects share. */
export async function replaceFile(path: string, bytes: Buffer): Promise<void> {
  const { mode } = await stat(path);
  await writeFile(`${path}.new`, bytes, { mode });
  await rename(`${path}.new`, path);
}

/** Puts a copy of a file in another place, whatever is there. See replaceFile. */
export async function replaceWithCopy(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await rm(to, { force: true });
  await copyFile(from, to);
}

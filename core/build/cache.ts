import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { z } from 'zod';
import { ifThere } from '../project/files.ts';
import { namingPath } from '../system-errors.mjs';

/**
 * Reads a JSON file that an earlier build has left.
 * @returns undefined where it is not there, or broken, as a power cut leaves it: whoever asks makes it anew
 * @throws Error of the operating system where the file is there and cannot be read
 */
export async function readCache<T>(file: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const text = await ifThere(readFile(file, 'utf8'));
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = schema.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}

/**
 * Writes a file so that it is there whole or not at all, after a power cut, too, and whoever else writes it at the same time.
 * Its folder is made where it is not there.
 * @throws Error of the operating system, naming the file
 */
export async function writeWhole(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const unfinished = `${file}.${randomUUID()}.new`;
  try {
    await namingPath(file, writeToDisk(unfinished, text));
    await rename(unfinished, file);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

async function writeToDisk(file: string, text: string): Promise<void> {
  const handle = await open(file, 'w');
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

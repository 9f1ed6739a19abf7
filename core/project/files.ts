import { lstat, readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { ProjectError } from '../errors.ts';

/** CloudFormation's own limit for a template, in bytes: docs.aws.amazon.com, "CloudFormation quotas". */
export const MAX_TEMPLATE_BYTES = 1_000_000;

/** Deeper than any template or event is written; far from the depth at which a parser runs out of stack. */
export const MAX_DEPTH = 100;

/** What Node puts in the place of bytes of a name that are not UTF-8. It cannot open such a file. */
export const REPLACED = '\ufffd';

/** What a path that leads nowhere ends with. */
const ABSENT = ['ENOENT', 'ENOTDIR'];

/** The answer, or undefined where there is no such file. Whatever else the system says is thrown. */
export async function ifThere<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (ABSENT.includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/**
 * Makes sure that a path of the project, links followed, leads to a place in the project: what lies outside is neither
 * uploaded nor reviewed with it. A path that is not there is fine.
 * @param path in the project
 * @param where it is named, where that is not the path itself: `template.yaml: Hello.CodeUri`
 * @throws ProjectError naming the path and where it leads
 */
export async function refuseLinkOutside(root: string, path: string, where?: string): Promise<void> {
  const name = where === undefined ? path : `${where}: ${path}`;
  const link = await ifThere(lstat(join(root, path)));
  if (link === undefined) return;
  const real = await ifThere(realpath(join(root, path)));
  if (real === undefined)
    throw new ProjectError(`${name} is a symbolic link to nothing. Put the file itself there.`);
  const home = await realpath(root);
  if (real !== home && !real.startsWith(home.endsWith(sep) ? home : home + sep))
    throw new ProjectError(
      `${name} leads out of the project through a symbolic link, to ${real}. Put a copy of it into the project.`,
    );
}

/** Number of the first line that is not UTF-8, from 1. No byte of a longer character is a line feed. */
function lineOutsideUtf8(bytes: Buffer): number {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let line = 1;
  for (let from = 0; from < bytes.length; line += 1) {
    const end = bytes.indexOf(0x0a, from);
    const to = end < 0 ? bytes.length : end;
    try {
      decoder.decode(bytes.subarray(from, to));
    } catch {
      return line;
    }
    from = to + 1;
  }
  return line;
}

/**
 * Text of a file that a user wrote: UTF-8, with or without a byte order mark, and no NUL.
 * @param name of the file, for people
 * @throws ProjectError naming file and line
 */
export function decodeText(bytes: Buffer, name: string): string {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ProjectError(`${name}:${lineOutsideUtf8(bytes)}: is not UTF-8. Save the file as UTF-8.`);
  }
  const nul = text.indexOf('\0');
  if (nul < 0) return text;
  const line = text.slice(0, nul).split('\n').length;
  throw new ProjectError(
    `${name}:${line}: holds a NUL character, which no text has. Save the file as UTF-8 text.`,
  );
}

/**
 * Reads a small text file that a user wrote.
 * @param file path in the project
 * @param limit in bytes
 * @returns undefined where there is no such file
 * @throws ProjectError where it is larger, not UTF-8, holds NUL, or is a link out of the project
 */
export async function readProjectFile(
  root: string,
  file: string,
  limit = MAX_TEMPLATE_BYTES,
): Promise<string | undefined> {
  await refuseLinkOutside(root, file);
  const path = join(root, file);
  const info = await ifThere(stat(path));
  if (!info?.isFile()) return undefined;
  if (info.size > limit) throw new ProjectError(`${file}: ${info.size} bytes, at most ${limit} are read`);
  return decodeText(await readFile(path), file);
}

/** Whether a value nests maps and lists deeper than MAX_DEPTH. Without recursion: that is what it guards. Pure. */
export function isTooDeep(value: unknown): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; depth <= MAX_DEPTH; depth += 1) {
    level = level.flatMap((one) => (typeof one === 'object' && one !== null ? Object.values(one) : []));
    if (level.length === 0) return false;
  }
  return true;
}

/** Parses a JSON file that a user wrote. @throws ProjectError naming the file and what is wrong there */
export function parseJson(text: string, file: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ProjectError(
      error instanceof RangeError ? tooDeep(file) : `${file}: ${(error as Error).message}`,
    );
  }
  if (isTooDeep(value)) throw new ProjectError(tooDeep(file));
  return value;
}

export const tooDeep = (file: string): string =>
  `${file}: nests maps and lists more than ${MAX_DEPTH} deep. Make it flatter.`;

/** Folders below the one for builds whose content is deleted and made anew. */
const DELETED_IN = ['layers', 'functions'];

/**
 * The folder for builds, with nothing in the way: no link above a place where a build deletes files, and no file where a
 * folder is needed.
 * @param folder path in the project, such as `.plimsoll/build`
 * @returns its absolute path, whether it is there or not
 * @throws ProjectError naming what is in the way
 */
export async function buildFolder(root: string, folder: string): Promise<string> {
  const parts = folder.split(sep);
  const above = parts.map((_, index) => join(...parts.slice(0, index + 1)));
  for (const path of above) await refuseObstacle(root, path);
  const names = (await ifThere(readdir(join(root, folder)))) ?? [];
  for (const name of names) await refuseObstacle(root, join(folder, name));
  for (const kind of DELETED_IN.filter((name) => names.includes(name))) {
    const artifacts = await readdir(join(root, folder, kind));
    for (const name of artifacts) await refuseObstacle(root, join(folder, kind, name));
  }
  return join(root, folder);
}

async function refuseObstacle(root: string, path: string): Promise<void> {
  const info = await ifThere(lstat(join(root, path)));
  if (info === undefined || info.isDirectory()) return;
  const what = info.isSymbolicLink() ? 'is a symbolic link' : 'is a file';
  throw new ProjectError(
    `${path}: ${what}; Plimsoll deletes and writes in a folder there. Remove or rename ${join(root, path)}.`,
  );
}

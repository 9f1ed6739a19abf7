import { type Dirent, readdirSync, realpathSync, type Stats, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import type { TreeFile } from '../build/tree.ts';
import { ProjectError } from '../errors.ts';
import { REPLACED } from './files.ts';

/** So many files and folders are looked at: links to folders that hold such links again multiply without end. */
const MAX_VISITED = 1_000_000;

/** Why a link cannot be followed, after the link's name. */
type Problem = string;

/** Where a link leads, or why it is not followed. @param open real folders that are being listed, the innermost last */
function follow(path: string, home: string, open: readonly string[]): { real: string } | Problem {
  let real: string;
  try {
    real = realpathSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ELOOP') return 'is a symbolic link to itself. Remove the link.';
    if (code === 'ENOENT' || code === 'ENOTDIR')
      return 'is a symbolic link to nothing. Put the file itself there.';
    throw error;
  }
  if (real !== home && !real.startsWith(home + sep))
    return `leads out of the project through a symbolic link, to ${real}. Put a copy of it into the project.`;
  if (open.includes(real)) return `is a symbolic link to ${real}, which holds the link. Remove the link.`;
  return { real };
}

/**
 * Files of a folder of the project as an artifact takes them, sorted by path: links that stay in the project are followed,
 * as `sam build` does.
 * @param folder path in the project; empty for all of it
 * @param skip names of files and folders that are passed over wherever they stand
 * @param onProblem what becomes of a link that cannot be followed; else it is left out
 * @throws ProjectError for a name that is not UTF-8, and for what onProblem throws
 */
export function listSources(
  root: string,
  folder: string,
  skip: (name: string) => boolean,
  onProblem: (path: string, problem: Problem) => void = () => {},
): TreeFile[] {
  const home = realpathSync(root);
  const result: TreeFile[] = [];
  let visited = 0;
  const visit = (within: string, open: readonly string[]): void => {
    for (const entry of readdirSync(join(root, folder, within), { withFileTypes: true }))
      if (!skip(entry.name)) look(entry, within === '' ? entry.name : `${within}/${entry.name}`, open);
  };
  const look = (entry: Dirent, path: string, open: readonly string[]): void => {
    const full = join(root, folder, path);
    visited += 1;
    if (visited > MAX_VISITED)
      throw new ProjectError(
        `${full}: more than ${MAX_VISITED} files, links followed. Remove links to folders.`,
      );
    if (entry.name.includes(REPLACED))
      throw new ProjectError(`${full}: the name is not UTF-8. Rename the file.`);
    if (entry.isSymbolicLink()) {
      const target = follow(full, home, open);
      if (typeof target === 'string') onProblem(join(folder, path), target);
      else take(statSync(target.real), path, [...open, target.real]);
    } else if (entry.isDirectory()) visit(path, [...open, join(open.at(-1) ?? home, entry.name)]);
    else take(statSync(full), path, open);
  };
  const take = (info: Stats, path: string, open: readonly string[]): void => {
    if (info.isDirectory()) visit(path, open);
    else if (info.isFile()) result.push({ path, bytes: info.size });
  };
  visit('', [realpathSync(join(root, folder))]);
  return result.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** @throws ProjectError for each link that `sam build` could not follow either, or that leads out of the project */
export function rejectLink(path: string, problem: Problem): never {
  throw new ProjectError(`${path} ${problem}`);
}

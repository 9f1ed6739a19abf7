import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ProjectError } from '../errors.ts';
import { REPLACED } from '../project/files.ts';

export interface TreeFile {
  /** Relative to the tree, with forward slashes. */
  path: string;
  /** Bytes, unzipped. */
  bytes: number;
}

/**
 * All files below a folder that was built, sorted by path. Links are left out: an artifact holds plain files only (those of
 * a project: listSources). Synchronous: thousands of small questions to the disk cost more as promises.
 * @throws ProjectError for a name that is not UTF-8: Node cannot open it, and a zip cannot hold it
 */
export function listTree(root: string): TreeFile[] {
  const result: TreeFile[] = [];
  const visit = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.name.includes(REPLACED))
        throw new ProjectError(`${join(root, path)}: the name is not UTF-8. Rename the file.`);
      if (entry.isDirectory()) visit(path);
      else if (entry.isFile()) result.push({ path, bytes: statSync(join(root, path)).size });
    }
  };
  visit('');
  return result.sort((a, b) => (a.path < b.path ? -1 : 1));
}

export const totalBytes = (files: readonly { bytes: number }[]): number =>
  files.reduce((sum, { bytes }) => sum + bytes, 0);

/** Files that a developer's machine leaves behind and that no artifact ships. */
const LEFTOVERS = new Set([
  '__pycache__',
  '.git',
  '.venv',
  'venv',
  'node_modules',
  '.aws-sam',
  '.plimsoll',
  '.pytest_cache',
  '.mypy_cache',
  '.DS_Store',
]);

export const isLeftover = (name: string): boolean => LEFTOVERS.has(name) || name.endsWith('.pyc');

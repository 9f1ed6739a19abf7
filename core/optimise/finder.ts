import { appendFile, copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { script } from '../build/scripts.ts';
import { moduleName } from './keep.ts';

const FINDER = 'plimsoll_finder.py';
/** Folder beside the packages with one list of removed modules an artifact. */
const LISTS = 'plimsoll_removed';

/**
 * Puts the way back into a trimmed tree: whoever asks for a module that was removed is told so, with the artifact and
 * how to keep it. Every package that has lost modules loads the finder at the end of its `__init__`; a removed module
 * can only be asked for once its package is loaded.
 * @param files what is left in the tree
 */
export async function addFinder(
  libraries: string,
  artifact: string,
  removed: readonly string[],
  files: ReadonlySet<string>,
): Promise<void> {
  const modules = removed.flatMap((path) => moduleName(path) ?? []).filter((name) => name.includes('.'));
  const packages = [...new Set(modules.map((name) => `${name.split('.')[0]}/__init__.py`))].filter((path) =>
    files.has(path),
  );
  const known = new Set(packages.map((path) => path.split('/')[0]));
  const listed = modules.filter((name) => known.has(name.split('.')[0])).sort();
  if (listed.length === 0) return;
  await copyFile(script(FINDER), join(libraries, FINDER));
  await mkdir(join(libraries, LISTS), { recursive: true });
  await writeFile(join(libraries, LISTS, `${artifact}.json`), JSON.stringify(listed));
  for (const path of packages.sort())
    await appendFile(join(libraries, path), '\nimport plimsoll_finder as _plimsoll_finder\n');
}

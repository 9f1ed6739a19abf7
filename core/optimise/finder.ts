import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceWithCopy } from '../build/replace.ts';
import { script } from '../build/scripts.ts';
import { moduleName } from './keep.ts';

export const FINDER = 'plimsoll_finder.py';
const LAZY_RUNTIME = 'plimsoll_lazy.py';
/** Folder beside the packages with one list of removed modules an artifact. */
const LISTS = 'plimsoll_removed';

/** What a package does at the end of its own import, so that the finder is there before any of its modules is asked for. */
export const HOOK = '\nimport plimsoll_finder as _plimsoll_finder\n';

/** Whether a file of a distribution loads the finder: a removed module can only be asked for once its package is loaded. */
export const isHooked = (path: string): boolean => /^[^/]+\/__init__\.py$/.test(path);

/** Puts the finder beside packages that load it. */
export async function addFinder(libraries: string, files: readonly string[]): Promise<void> {
  if (files.some(isHooked)) await replaceWithCopy(script(FINDER), join(libraries, FINDER));
}

/** Puts what modules with deferred imports need at run time beside them, or takes it away where there are none. */
export async function setLazyRuntime(libraries: string, isNeeded: boolean): Promise<void> {
  const path = join(libraries, LAZY_RUNTIME);
  if (isNeeded) await replaceWithCopy(script(LAZY_RUNTIME), path);
  else await rm(path, { force: true });
}

/** Where the finder gets what was removed, if the project wants that. */
export interface Fetch {
  /** Key in the artifact bucket of the zip. */
  key: string;
  /** Of that zip, hexadecimal. */
  sha256: string;
}

/**
 * Tells the finder what has been removed: whoever asks for such a module learns from which artifact, and how to keep it.
 * @param removed paths of all removed files
 */
export async function listRemoved(
  libraries: string,
  artifact: string,
  removed: readonly string[],
  fetch?: Fetch,
): Promise<void> {
  const modules = removed
    .flatMap((path) => moduleName(path) ?? [])
    .filter((name) => name.includes('.'))
    .sort();
  if (modules.length === 0) return;
  await mkdir(join(libraries, LISTS), { recursive: true });
  const content = { modules, ...(fetch ? { fetch } : {}) };
  await writeFile(join(libraries, LISTS, `${artifact}.json`), JSON.stringify(content));
}

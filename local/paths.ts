import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EmbeddedAwsError } from '../core/errors.ts';

/** The checkout: the nearest folder upwards that holds the adapter, whether this runs from source or bundled. */
function findRoot(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'local', 'adapter', '__main__.py'))) return folder;
    if (folder === dirname(folder))
      throw new EmbeddedAwsError('this works in a checkout of plimsoll only; clone the repository');
  }
}

export const ROOT = findRoot();
/** Everything that the embedded AWS keeps; git-ignored. */
export const STATE = join(ROOT, '.plimsoll');
const TOOLS = join(STATE, 'tools', 'bin');
export const PYTHON = join(TOOLS, 'python');
export const UV = join(TOOLS, 'uv');
/** First on the PATH of builds: the pinned uv. */
export const TOOLS_PATH = TOOLS;

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { ownValue } from '../project/intrinsics.ts';
import { readCache, writeWhole } from './cache.ts';
import { ownEnvironment } from './indexes.ts';
import { install } from './install.ts';
import { normalizeName } from './names.ts';
import data from './python/runtime-packages.json' with { type: 'json' };
import type { Target } from './resolve.ts';
import { listTree, totalBytes } from './tree.ts';

/**
 * What every Python runtime of Lambda brings besides the standard library: boto3 and what that needs, behind the function's
 * own folder and its layers on the path (Lambda developer guide, "Runtime-included SDK versions").
 */

type Packages = (typeof data.runtimes)['python3.13'];

/** Of a runtime that we know nothing of: none. */
const packagesOf = (python: string): Packages['packages'] =>
  ownValue(data.runtimes as Record<string, Packages>, `python${python}`)?.packages ?? [];

/** The day on which somebody looked at the versions, as in ISO 8601. */
export const LOOKED_AT = data.date;

const sizeSchema = z.object({ files: z.number(), bytes: z.number() });

function sizeOf(tree: string): z.infer<typeof sizeSchema> {
  const files = listTree(tree);
  return { files: files.length, bytes: totalBytes(files) };
}

/** Whether all of a copy is there: a power cut leaves files empty or cut off. */
async function isWhole(home: string, stamp: string): Promise<boolean> {
  const size = await readCache(stamp, sizeSchema);
  return size !== undefined && existsSync(home) && isDeepStrictEqual(sizeOf(home), size);
}

/**
 * A folder with a copy of the runtime's own packages, for the end of the path wherever a project's code is run in a build.
 * Nothing of it is shipped.
 * @param folder in which copies are kept; one a runtime and list of versions
 * @returns one folder, or none for a runtime of which nothing is known
 * @throws InstallError
 */
export async function runtimePackages(folder: string, target: Target): Promise<string[]> {
  const packages = packagesOf(target.python);
  if (packages.length === 0) return [];
  const version = createHash('sha256').update(JSON.stringify(packages)).digest('hex').slice(0, 12);
  const home = join(folder, `python${target.python}-${version}`);
  const stamp = `${home}.json`;
  if (await isWhole(home, stamp)) return [home];
  await mkdir(folder, { recursive: true });
  const unfinished = await mkdtemp(join(folder, 'unfinished-'));
  try {
    const tree = join(unfinished, 'packages');
    await install(
      packages.map((one) => ({ ...one, via: [] })),
      tree,
      target,
      undefined,
      ownEnvironment(),
    );
    const size = sizeOf(tree);
    await rm(home, { recursive: true, force: true });
    // Another build may have been faster.
    await rename(tree, home).catch((error) => {
      if (!existsSync(home)) throw error;
    });
    await writeWhole(stamp, JSON.stringify(size));
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return [home];
}

/** `import boto3`, `from botocore.config import Config`: the top of what a line of code imports. */
const IMPORT = /^[ \t]*(?:import|from)[ \t]+([A-Za-z_]\w*)/gm;
/** Modules whose distribution has another name. */
const DISTRIBUTION_OF: Readonly<Record<string, string>> = { dateutil: 'python-dateutil' };

/**
 * The runtime's own packages that sources import and that nothing before them on the path holds: name and version. Pure.
 * @param held normalised names of the distributions of the function and its layers
 */
export function usedOfRuntime(
  texts: readonly string[],
  held: ReadonlySet<string>,
  python: string,
): { name: string; version: string }[] {
  const imported = new Set(
    texts.flatMap((text) => [...text.matchAll(IMPORT)].map(([, top = '']) => DISTRIBUTION_OF[top] ?? top)),
  );
  return packagesOf(python)
    .filter(({ name }) => imported.has(name) && !held.has(normalizeName(name)))
    .map(({ name, version }) => ({ name, version }));
}

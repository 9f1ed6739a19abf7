import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { InstallError } from '../errors.ts';
import { withoutCredentials } from './credentials.ts';
import { normalizeName } from './names.ts';
import { type Distribution, lockLines, type Target } from './resolve.ts';
import { uv, uvPlatform } from './uv.ts';
import { placeOfWheel } from './wheels.ts';

/** An installed distribution and the files that its RECORD lists, relative to the tree. */
export interface Installed {
  name: string;
  version: string;
  files: string[];
}

/** The first field of each line of a RECORD, a CSV file (PEP 376). */
export function parseRecord(text: string): string[] {
  return text
    .split(/\r?\n/)
    .filter((line) => line !== '')
    .map((line) => /^"((?:[^"]|"")*)"/.exec(line)?.[1]?.replaceAll('""', '"') ?? line.split(',')[0] ?? '')
    .filter((path) => !path.startsWith('../') && !path.startsWith('/'));
}

async function readInstalled(tree: string, distributions: readonly Distribution[]): Promise<Installed[]> {
  const folders = (await readdir(tree)).filter((name) => name.endsWith('.dist-info'));
  return Promise.all(
    folders.sort().map(async (folder) => {
      const [name = '', version = ''] = folder.replace(/\.dist-info$/, '').split('-');
      const pinned = distributions.find((one) => normalizeName(one.name) === normalizeName(name));
      return {
        name: pinned?.name ?? normalizeName(name),
        version: pinned?.version ?? version,
        files: parseRecord(await readFile(join(tree, folder, 'RECORD'), 'utf8')),
      };
    }),
  );
}

/**
 * Installs pinned distributions into an empty folder: wheels only, each checked against its hash, for the target's
 * platform whatever this machine is. Where it can be, files are links to uv's cache, which all projects share: they may
 * be removed and replaced, and never written to.
 * @param wheels folder of those that were built here: see Wheels. Default: there are none
 * @param environment says where uv looks for packages. Default: the process's own
 * @throws InstallError with uv's explanation
 */
export async function install(
  distributions: readonly Distribution[],
  tree: string,
  target: Target,
  wheels?: string,
  environment?: NodeJS.ProcessEnv,
): Promise<Installed[]> {
  await mkdir(tree, { recursive: true });
  if (distributions.length === 0) return [];
  const lock = `${tree}.lock.txt`;
  await writeFile(lock, lockLines(distributions));
  const result = await uv(
    [
      'pip',
      'install',
      '--quiet',
      '--no-deps',
      '--require-hashes',
      '--only-binary=:all:',
      '--link-mode=hardlink',
      `--python-version=${target.python}`,
      `--python-platform=${uvPlatform(target.python, target.architecture)}`,
      ...distributions.flatMap(({ made }) =>
        made && wheels ? [`--find-links=${dirname(placeOfWheel(wheels, made))}`] : [],
      ),
      '--target',
      tree,
      '-r',
      lock,
    ],
    dirname(tree),
    environment,
  );
  await rm(lock);
  if (result.code !== 0) {
    const names = distributions.map(({ name, version }) => `${name}==${version}`).join(', ');
    throw new InstallError(
      `cannot install ${names} for Python ${target.python} on ${target.architecture}: ${withoutCredentials(result.stderr).trim().slice(0, 2000)}`,
    );
  }
  // Console scripts name this machine's interpreter; a layer has no use for them. uv's lock marks its own work only.
  await Promise.all(['bin', '.lock'].map((name) => rm(join(tree, name), { recursive: true, force: true })));
  return readInstalled(tree, distributions);
}

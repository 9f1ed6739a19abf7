import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { z } from 'zod';
import { ResolutionError } from '../errors.ts';
import { readCache, writeWhole } from './cache.ts';
import { withoutCredentials } from './credentials.ts';
import { normalizeName } from './names.ts';
import type { Direct } from './requirements.ts';
import type { Target } from './resolve.ts';
import { parseMetadata } from './sbom.ts';
import { isLeftover, listTree } from './tree.ts';
import { findPython, glibcOf, uv, uvPlatform } from './uv.ts';
import { writeZip } from './zip.ts';

/**
 * Wheels of what has none: packages that an index has as sources only, folders and archives of the project, addresses, git. Each
 * is built once, and from then on pinned by its hash like any other.
 */

const wheelSchema = z.object({
  name: z.string(),
  version: z.string(),
  file: z.string().regex(/^[\w.+!-]+\.whl$/),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

/** A wheel that lies in a folder of wheels, at `sha256/file`. */
export type MadeWheel = z.infer<typeof wheelSchema>;

/** Where a wheel lies. @param folder of wheels */
export const placeOfWheel = (folder: string, { sha256, file }: Pick<MadeWheel, 'sha256' | 'file'>): string =>
  join(folder, sha256, file);

/** What installers write beside what a wheel holds (PEP 376, PEP 610, uv). */
const WRITTEN_BY_INSTALLER = ['INSTALLER', 'REQUESTED', 'direct_url.json', 'uv_cache.json', 'uv_build.json'];
const COMMIT = /^[0-9a-f]{40}$/;

/** Whether an address always gives the same: a commit, a file with its hash, or what lies in the project. Pure. */
export function isSettled({ address, contents, hashes }: Direct): boolean {
  if (contents !== undefined || hashes.length > 0 || /#(.*&)?sha256=[0-9a-f]{64}/.test(address)) return true;
  const commit = /^git\+.*@([^@/#]+)(#.*)?$/.exec(address)?.[1];
  return commit !== undefined && COMMIT.test(commit);
}

/** What people read of an address: no credentials, and a place of this machine by its name alone. Pure. */
export const nameOfAddress = (address: string): string =>
  address.startsWith('file:')
    ? basename(fileURLToPath(address))
    : withoutCredentials(address).replace(/#.*$/, '');

/** The tags of a wheel's file name from those in its WHEEL file (PEP 425, "Compressed tag sets"). */
function tagsOf(wheel: string): [python: string, abi: string, platform: string] {
  const tags = parseMetadata(wheel).flatMap(([key, value]) => (key === 'tag' ? [value.split('-')] : []));
  const part = (index: number) => [...new Set(tags.map((tag) => tag[index] ?? 'any'))].join('.');
  return [part(0), part(1), part(2)];
}

const GLIBC = /GLIBC_2\.(\d+)/g;

/** The newest glibc that a library asks for: 28 of 2.28. */
const newestGlibc = (path: string): number =>
  Math.max(0, ...[...readFileSync(path, 'latin1').matchAll(GLIBC)].map(([, minor]) => Number(minor)));

/** Builds wheels and keeps them. */
export class Wheels {
  private readonly made = new Map<string, Promise<MadeWheel>>();

  /** @param folder where wheels are kept */
  constructor(readonly folder: string) {}

  /**
   * The wheel of a package that an index has as sources only.
   * @param pin `docopt==0.6.2`, with the hashes that its file must have
   * @throws ResolutionError
   */
  ofSources(pin: string, target: Target): Promise<MadeWheel> {
    return this.once(['sources', pin, target], true, pin, (tree) => {
      const name = pin.split('==', 1)[0] ?? pin;
      return { lines: [pin], args: [`--no-binary=${name}`], cwd: dirname(tree), target };
    });
  }

  /** The wheel of what lies at an address. @throws ResolutionError */
  ofAddress(direct: Direct, target: Target): Promise<MadeWheel> {
    const { address, hashes } = direct;
    const key = ['address', direct.contents ?? address, hashes, target];
    return this.once(key, isSettled(direct), nameOfAddress(address), async (tree) => {
      const hash = hashes.map((one) => ` --hash=${one}`).join('');
      const place = await this.copyOf(address, dirname(tree));
      return { lines: [`${place ?? address}${hash}`], args: [], cwd: dirname(tree), target };
    });
  }

  /** Builds write into their sources: those of the project are copied. */
  private async copyOf(address: string, into: string): Promise<string | undefined> {
    if (!address.startsWith('file:')) return undefined;
    const path = fileURLToPath(address);
    const copy = join(into, basename(path));
    await cp(path, copy, { recursive: true, filter: (from) => from === path || !isLeftover(basename(from)) });
    return pathToFileURL(copy).href;
  }

  private once(
    key: unknown,
    isKept: boolean,
    what: string,
    begin: (tree: string) => Install | Promise<Install>,
  ): Promise<MadeWheel> {
    const id = createHash('sha256').update(JSON.stringify(key)).digest('hex');
    const making = this.made.get(id) ?? this.find(id, isKept, what, begin);
    this.made.set(id, making);
    return making;
  }

  private async find(
    id: string,
    isKept: boolean,
    what: string,
    begin: (tree: string) => Install | Promise<Install>,
  ): Promise<MadeWheel> {
    const record = join(this.folder, `${id}.json`);
    const known = isKept ? await readCache(record, wheelSchema) : undefined;
    if (known && existsSync(placeOfWheel(this.folder, known))) return known;
    const workdir = await mkdtemp(join(tmpdir(), 'plimsoll-wheel-'));
    try {
      const tree = join(workdir, 'tree');
      const wheel = await this.pack(tree, what, await begin(tree));
      await writeWhole(record, JSON.stringify(wheel));
      return wheel;
    } finally {
      await rm(workdir, { recursive: true, force: true });
    }
  }

  /** Installs one package and packs what came of it. */
  private async pack(tree: string, what: string, { lines, args, cwd, target }: Install): Promise<MadeWheel> {
    const list = join(cwd, 'wanted.txt');
    await writeFile(list, lines.join('\n'));
    const { code, stderr } = await uv(
      [
        'pip',
        'install',
        '--quiet',
        '--no-deps',
        '--link-mode=copy',
        `--python=${await findPython(target.python, cwd)}`,
        `--python-version=${target.python}`,
        `--python-platform=${uvPlatform(target.python, target.architecture)}`,
        ...args,
        '--target',
        tree,
        '-r',
        list,
      ],
      cwd,
    );
    if (code !== 0) throw new ResolutionError(cannotBuild(what, stderr, target));
    return this.keep(tree, what, target);
  }

  private async keep(tree: string, what: string, target: Target): Promise<MadeWheel> {
    const [info = ''] = (await readdir(tree)).filter((name) => name.endsWith('.dist-info'));
    const read = (name: string) => readFile(join(tree, info, name), 'utf8');
    const head = new Map(parseMetadata(await read('METADATA')).reverse());
    const name = head.get('name') ?? '';
    const version = head.get('version') ?? '';
    const drop = WRITTEN_BY_INSTALLER.map((file) => `${info}/${file}`);
    await Promise.all([...drop, '.lock'].map((path) => rm(join(tree, path), { force: true })));
    const record = (await read('RECORD'))
      .split(/\r?\n/)
      .filter((line) => !drop.some((path) => line.startsWith(`${path},`)) && !line.startsWith('bin/'));
    await writeFile(join(tree, info, 'RECORD'), record.join('\n'));
    // Scripts are made again from entry_points.txt wherever the wheel is installed.
    await rm(join(tree, 'bin'), { recursive: true, force: true });
    const files = listTree(tree).map(({ path }) => path);
    const tags = this.tags(await read('WHEEL'), tree, files, what, target);
    const file = `${normalizeName(name).replaceAll('-', '_')}-${version}-${tags.join('-')}.whl`;
    const zip = join(dirname(tree), 'wheel.zip');
    const { sha256 } = await writeZip(tree, files, zip);
    const wheel = { name: normalizeName(name), version, file, sha256 };
    const place = placeOfWheel(this.folder, wheel);
    await mkdir(dirname(place), { recursive: true });
    await cp(zip, `${place}.new`);
    await rename(`${place}.new`, place);
    return wheel;
  }

  /** What was built here is for this machine; whether it is for Lambda, too, its libraries say. */
  private tags(wheel: string, tree: string, files: readonly string[], what: string, target: Target) {
    const [python, abi, platform] = tagsOf(wheel);
    if (!/^linux_/.test(platform)) return [python, abi, platform];
    const machine = target.architecture === 'arm64' ? 'aarch64' : 'x86_64';
    if (platform !== `linux_${machine}`)
      throw new ResolutionError(
        `${what} has no wheel, and was built for ${platform} here, not for ${target.architecture}. Choose a version with wheels, or build on ${target.architecture}.`,
      );
    const there = glibcOf(target.python);
    const needed = Math.max(
      0,
      ...files.filter((path) => /\.so(\.|$)/.test(path)).map((path) => newestGlibc(join(tree, path))),
    );
    if (needed > there)
      throw new ResolutionError(
        `${what} has no wheel, and was built for glibc 2.${needed} here; python${target.python} on Lambda has 2.${there}. Choose a version with wheels${there < glibcOf('3.12') ? ', or python3.12' : ''}.`,
      );
    return [
      python,
      abi,
      uvPlatform(target.python, target.architecture).replace(/^([^-]+)-(manylinux_\d+_\d+)$/, '$2_$1'),
    ];
  }
}

interface Install {
  lines: readonly string[];
  args: readonly string[];
  cwd: string;
  target: Target;
}

/** The last lines of a build say what was wrong. */
function cannotBuild(what: string, stderr: string, { python, architecture }: Target): string {
  const lines = withoutCredentials(stderr)
    .split('\n')
    .map((line) => line.replace(/^[\s×╰─▶│├]+/, '').trim())
    .filter((line) => line !== '' && !/^(warning|hint):/i.test(line));
  const words = lines.length > 12 ? [lines[0], '…', ...lines.slice(-10)] : lines;
  return `cannot build ${what} for Python ${python} on ${architecture}: ${words.join(' ').slice(0, 1500)}. Correct the requirements.txt that names it.`;
}

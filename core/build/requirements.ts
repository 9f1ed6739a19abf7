import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ProjectError } from '../errors.ts';
import { readProjectFile, refuseLinkOutside } from '../project/files.ts';
import { pathInProject } from '../project/path.ts';
import { listSources } from '../project/sources.ts';
import { withoutCredentials } from './credentials.ts';
import { isLeftover } from './tree.ts';

const MAX_REQUIREMENTS_BYTES = 1_000_000;
const MAX_INCLUDES = 20;
/** Before what only bounds what others ask for. */
export const BOUND = '-c ';

/** PEP 508: a name, extras, versions, a marker. */
const REQUIREMENT = /^[A-Za-z0-9][A-Za-z0-9._-]*\s*(\[[\w\s,.-]*\])?\s*([<>=!~][^;@]*|\([^;@]*\))?(;.*)?$/;
/** PEP 508: `name[extras] @ address`. */
const NAMED_ADDRESS = /^([A-Za-z0-9][A-Za-z0-9._-]*\s*(?:\[[\w\s,.-]*\])?)\s*@\s*(.*)$/;
const ADDRESS = /^[a-z][a-z0-9+.-]*:\/\//i;
const ARCHIVE = /\.(whl|zip|tar\.gz|tgz|tar\.bz2|tar\.xz)$/i;

/** Where packages come from, as a requirements file says it. Addresses may hold credentials: they go nowhere but into uv. */
export interface Indexes {
  /** The one that counts instead of PyPI. */
  index?: string;
  extra: string[];
  /** Addresses of pages, or absolute paths of folders, with files. */
  links: string[];
}

/** What a requirements file asks for. */
export interface Requirements {
  /**
   * One requirement each: PEP 508 with the hashes that it names; `[name[extras] @ ]ADDRESS`, that of a place in the project
   * followed by ` --contents=sha256:…`; `-c REQUIREMENT`; `--pre`.
   */
  lines: string[];
  indexes: Indexes;
  /** What of the file does not count here, for people. */
  remarks: string[];
}

/** A requirement, and the hashes that its file must have: `six==1.16.0 --hash=sha256:…` (pip, "Hash-checking mode"). */
export function splitHashes(line: string): { requirement: string; hashes: string[] } {
  const hashes = [...line.matchAll(/\s--hash[= ]\s*(\S+)/g)].map(([, hash = '']) => hash);
  const requirement = line
    .replace(/\s--hash[= ]\s*\S+/g, '')
    .replace(/\s+/g, ' ')
    .trim();
  return { requirement, hashes };
}

/** A requirement that names where its package lies, not a version. */
export interface Direct {
  /** As uv takes it: an address with a scheme. */
  address: string;
  /** `[socks,http2]`, or nothing. */
  extras: string;
  /** ` ; python_version < "4"`, or nothing. */
  marker: string;
  /** SHA-256 of what lies in the project. */
  contents?: string;
  hashes: string[];
}

/** Takes a line of Requirements apart; undefined where it names a package and versions. Pure. */
export function directOf(line: string): Direct | undefined {
  const { requirement, hashes } = splitHashes(line);
  const contents = / --contents=sha256:([0-9a-f]{64})/.exec(requirement)?.[1];
  const text = requirement.replace(/ --contents=\S+/, '');
  const [, name = '', named] = NAMED_ADDRESS.exec(text) ?? [];
  const [address = '', ...rest] = (named ?? text).split(/\s+;\s*|;\s+/);
  if (!ADDRESS.test(address)) return undefined;
  const marker = rest.length === 0 ? '' : ` ; ${rest.join('; ')}`;
  const extras = /\[[^\]]*\]$/.exec(name.trim())?.[0] ?? '';
  return { address, extras, marker, ...(contents ? { contents } : {}), hashes };
}

/** Byte order marks that pip knows (pip/_internal/utils/encoding.py), and what Node calls what follows. */
const MARKS: readonly (readonly [number[], string])[] = [
  [[0xff, 0xfe], 'utf-16le'],
  [[0xfe, 0xff], 'utf-16be'],
];

/** Text of a requirements file, which PowerShell writes as UTF-16. @throws ProjectError where it is none */
async function readText(root: string, file: string): Promise<string> {
  await refuseLinkOutside(root, file);
  const path = join(root, file);
  if (!existsSync(path)) throw new ProjectError(`${file}: no such file`);
  const info = statSync(path);
  if (info.isFile() && info.size <= MAX_REQUIREMENTS_BYTES) {
    const bytes = readFileSync(path);
    const mark = MARKS.find(([begin]) => begin.every((byte, index) => bytes[index] === byte));
    if (mark) return new TextDecoder(mark[1]).decode(bytes);
  }
  const text = await readProjectFile(root, file, MAX_REQUIREMENTS_BYTES);
  if (text === undefined) throw new ProjectError(`${file}: no such file`);
  return text;
}

/** pip's own: names in capitals, digits and underscores; one that is not set stays as it is written. */
const withEnvironment = (line: string, environment: NodeJS.ProcessEnv) =>
  line.replace(/\$\{([A-Z0-9_]+)\}/g, (whole, name: string) => environment[name] ?? whole);

/** Options of a whole file that change nothing here, or that uv has no like of. */
const PASSED_OVER =
  /^(--trusted-host|--require-hashes|--use-feature|--no-index|--prefer-binary|-Z|--always-unzip)\b/;
const OF_ONE = /\s--(config-settings?|global-option|install-option)[= ]\s*("[^"]*"|'[^']*'|\S+)/g;

const OPTION = /^(--?[A-Za-z][A-Za-z-]*?)(?:[\s=]+|(?<=^-[a-z]))(\S.*)$/;
const SHORT: Readonly<Record<string, string>> = {
  '-r': '--requirement',
  '-c': '--constraint',
  '-e': '--editable',
  '-i': '--index-url',
  '--pypi-url': '--index-url',
  '-f': '--find-links',
};

class Reader {
  readonly lines: string[] = [];
  readonly indexes: Indexes = { extra: [], links: [] };
  readonly remarks: string[] = [];

  constructor(
    private readonly root: string,
    private readonly environment: NodeJS.ProcessEnv,
  ) {}

  get found(): Requirements {
    const { lines, indexes, remarks } = this;
    return { lines, indexes, remarks };
  }

  /** @param constrains whether what it names is a bound only, not asked for */
  async read(file: string, seen: readonly string[], constrains: boolean): Promise<void> {
    if (seen.includes(file) || seen.length > MAX_INCLUDES) throw new ProjectError(`${file}: includes itself`);
    await this.text(await readText(this.root, file), file, [...seen, file], constrains);
  }

  /** @param file the text's own, a path in the project: paths in it are from its folder */
  async text(text: string, file: string, seen: readonly string[], constrains = false): Promise<void> {
    let number = 1;
    let joined = '';
    for (const raw of text.replace(/^\ufeff/, '').split(/\r\n|\r|\n/)) {
      const begin = number;
      number += 1;
      // A line that is a comment whole ends no continuation (pip/_internal/req/req_file.py, join_lines).
      if (/^\s*#/.test(raw) && joined === '') continue;
      if (/\\$/.test(raw) && !/(^|\s)#/.test(raw)) {
        joined += `${raw.slice(0, -1)} `;
        continue;
      }
      const line = withEnvironment((joined + raw).replace(/(^|\s)#.*$/, '').trim(), this.environment);
      joined = '';
      if (line !== '') await this.line(line, file, begin, seen, constrains);
    }
    if (joined.trim() !== '') await this.line(joined.trim(), file, number, seen, constrains);
  }

  private async line(
    line: string,
    file: string,
    number: number,
    seen: readonly string[],
    constrains: boolean,
  ): Promise<void> {
    const where = `${file}:${number}`;
    const add = (text: string) => void this.lines.push(constrains ? `${BOUND}${text}` : text);
    if (!line.startsWith('-')) return add(this.requirement(line, file, where));
    if (line === '--pre') return void this.lines.push(line);
    const [, written = line, value = ''] = OPTION.exec(line) ?? [];
    const option = SHORT[written] ?? written;
    const unquoted = value.replace(/^(["'])(.*)\1$/, '$2').trim();
    if (option === '--requirement' || option === '--constraint') {
      const target = pathInProject(file, unquoted);
      if (target === undefined)
        throw new ProjectError(`${where}: ${written} ${unquoted} is outside the project`);
      return this.read(target, seen, constrains || option === '--constraint');
    }
    if (option === '--editable') return add(this.requirement(unquoted, file, where));
    if (option === '--index-url') this.indexes.index = unquoted;
    else if (option === '--extra-index-url') this.indexes.extra.push(unquoted);
    else if (option === '--find-links') this.indexes.links.push(this.linksOf(unquoted, file, where));
    else if (option === '--only-binary' || option === '--no-binary')
      this.remarks.push(`${where}: ${option} does not count; wheels are taken where there are some`);
    else if (!PASSED_OVER.test(line))
      throw new ProjectError(
        `${where}: "${withoutCredentials(line)}" is no option that pip has in a requirements file. Correct the line.`,
      );
  }

  private linksOf(value: string, file: string, where: string): string {
    if (ADDRESS.test(value) && !value.startsWith('file:')) return value;
    return join(this.root, this.placeOf(value, file, where));
  }

  /** A path of a requirements file, which pip takes from the current folder and uv from the file's own, as one of the project's. */
  private placeOf(written: string, file: string, where: string): string {
    const named = written.replace(/^file:(\/\/)?(?=\.|[^/])/, '');
    const candidates = [pathInProject(file, named), pathInProject('', named)].flatMap((one) => one ?? []);
    const found = candidates.find((path) => existsSync(join(this.root, path)));
    if (found !== undefined) return found;
    if (candidates.length === 0)
      throw new ProjectError(`${where}: ${written} is outside the project; put it there`);
    throw new ProjectError(
      `${where}: there is no file or folder ${written}. Put it there, or correct the line.`,
    );
  }

  private requirement(text: string, file: string, where: string): string {
    const bare = text.replace(OF_ONE, '');
    if (bare !== text) this.remarks.push(`${where}: options for the build of one package do not count`);
    const { requirement, hashes } = splitHashes(bare);
    const [, name, address] = NAMED_ADDRESS.exec(requirement) ?? [];
    const target = address ?? requirement;
    const line = this.isPlace(target, file)
      ? this.local(name, target, file, where)
      : ADDRESS.test(target) || REQUIREMENT.test(requirement)
        ? requirement
        : undefined;
    if (line === undefined)
      throw new ProjectError(
        `${where}: "${withoutCredentials(requirement)}" is no requirement; write name==version, name @ https://…, or the path of a folder or archive`,
      );
    return [line, ...hashes.map((hash) => `--hash=${hash}`)].join(' ');
  }

  /** As pip tells a path from a name: pip/_internal/req/constructors.py, _looks_like_path and is_archive_file. */
  private isPlace(target: string, file: string): boolean {
    if (target.startsWith('file:')) return true;
    if (ADDRESS.test(target)) return false;
    const [path = ''] = target.split(/\s*;\s*/);
    const bare = path.replace(/\[[^\]]*\]$/, '');
    return (
      bare.startsWith('.') ||
      bare.includes('/') ||
      (ARCHIVE.test(bare) && !/[<>=]/.test(posix.basename(bare)) && pathInProject(file, bare) !== undefined)
    );
  }

  private local(name: string | undefined, target: string, file: string, where: string): string {
    const [path = '', ...marker] = target.split(/\s*;\s+/);
    const extras = /\[[^\]]*\]$/.exec(path)?.[0] ?? '';
    const place = this.placeOf(path.slice(0, path.length - extras.length), file, where);
    const suffix = marker.length === 0 ? '' : ` ; ${marker.join('; ')}`;
    // Extras of a path stand behind a name, which nobody needs to know.
    const named = name ?? (extras === '' ? undefined : `package${extras}`);
    const address = pathToFileURL(join(this.root, place)).href;
    return `${named === undefined ? '' : `${named.trim()} @ `}${address}${suffix} --contents=sha256:${this.contentsOf(place, where)}`;
  }

  private contentsOf(place: string, where: string): string {
    const path = join(this.root, place);
    const hash = createHash('sha256');
    if (statSync(path).isFile()) return hash.update(readFileSync(path)).digest('hex');
    if (!['pyproject.toml', 'setup.py', 'setup.cfg'].some((name) => existsSync(join(path, name))))
      throw new ProjectError(`${where}: ${place} has no pyproject.toml and no setup.py, so it is no package`);
    for (const one of listSources(this.root, place, isLeftover))
      hash.update(`\0${one.path}\0`).update(readFileSync(join(path, one.path)));
    return hash.digest('hex');
  }
}

/**
 * Reads a requirements file as pip does, and the files that it names with -r and -c, all inside the project: pip documentation,
 * "Requirements File Format".
 * @param file path relative to the project
 * @param environment for ${NAMES}
 * @throws ProjectError naming file and line of what is no requirement, not there, or outside the project
 */
export async function readRequirements(
  root: string,
  file: string,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Requirements> {
  const reader = new Reader(root, environment);
  await reader.read(file, [], false);
  return reader.found;
}

/**
 * The same for lines that follow from another file; those that only bound what others ask for are `-c REQUIREMENT`.
 * @param file which these are from, a path in the project
 */
export async function requirementsOfLines(
  root: string,
  file: string,
  lines: readonly string[],
): Promise<Requirements> {
  const reader = new Reader(root, {});
  const isBound = (line: string) => line.startsWith(BOUND);
  const bounds = lines.filter(isBound).map((line) => line.slice(BOUND.length));
  await reader.text(lines.filter((line) => !isBound(line)).join('\n'), file, [file]);
  await reader.text(bounds.join('\n'), file, [file], true);
  return reader.found;
}

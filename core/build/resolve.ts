import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { ResolutionError } from '../errors.ts';
import type { Architecture } from '../project/template.ts';
import { readCache, writeWhole } from './cache.ts';
import { readable, whyTooNew, withoutWheels } from './explain-resolution.ts';
import { normalizeName } from './names.ts';
import { BOUND, directOf, splitHashes } from './requirements.ts';
import { findPython, uv, uvPlatform } from './uv.ts';
import { isSettled, type MadeWheel, nameOfAddress, placeOfWheel, type Wheels } from './wheels.ts';

/** What wheels must fit. */
export interface Target {
  /** `3.11` */
  python: string;
  architecture: Architecture;
}

/** One pinned distribution. */
export interface Distribution {
  /** Normalised name, as in PEP 503. */
  name: string;
  version: string;
  /** `sha256:…` of every file of this version that the index offers. */
  hashes: string[];
  /** The wheel that was built of it, in a folder of wheels, and of what: of its sources, an address, a folder. */
  made?: { file: string; sha256: string; of: string } | undefined;
  /** Names of the distributions, and ids of the requirement sets, that ask for it. */
  via: string[];
}

/** Requirement sets by id: the layers, or one function. */
export type RequirementSets = Readonly<Record<string, readonly string[]>>;

const fileOf = (index: number) => `set-${index}.txt`;

const pins = (distributions: readonly Distribution[]) =>
  distributions.map(({ name, version }) => `${name}==${version}\n`).join('');

/** The lines that `uv pip install --require-hashes` takes. */
export function lockLines(distributions: readonly Distribution[]): string {
  return distributions
    .map(
      ({ name, version, hashes }) =>
        `${name}==${version} ${hashes.map((hash) => `--hash=${hash}`).join(' ')}\n`,
    )
    .join('');
}

/**
 * Parses the requirements.txt that uv writes with hashes and split annotations.
 * @param ids ids of the requirement sets, in the order of their files
 */
export function parseLock(text: string, ids: readonly string[]): Distribution[] {
  const result: Distribution[] = [];
  for (const raw of text.split('\n')) {
    const line = raw.replace(/\\$/, '').trim();
    const pin = /^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;]+)/.exec(line);
    const current = result.at(-1);
    if (pin?.[1] && pin[2]) result.push({ name: pin[1], version: pin[2], hashes: [], via: [] });
    else if (current && line.startsWith('--hash=')) current.hashes.push(line.slice('--hash='.length));
    else if (current && line.startsWith('#')) {
      const source = line.replace(/^#\s*(via\b)?\s*/, '');
      const set = /^-r set-(\d+)\.txt$/.exec(source)?.[1];
      if (set !== undefined) current.via.push(ids[Number(set)] ?? source);
      else if (source && !source.startsWith('-c ')) current.via.push(source);
    }
  }
  return result;
}

/** `1.2` of `six==1.2 ; python_version < "3.9"`. */
const pinnedVersion = (requirement: string): string | undefined =>
  /^[^;=<>!~]*={2,3}\s*([^\s;,*]+)\s*(;|$)/.exec(requirement)?.[1];

/**
 * Whether a line with hashes is about this version: a lock has a line for each version that it takes on some Python or platform.
 */
const isAbout = (
  asked: { name: string; version: string | undefined },
  name: string,
  version: string,
): boolean =>
  asked.name === normalizeName(name) && (asked.version === undefined || asked.version === version);

/** The hashes that requirements name, by whom: `-c` lines included. */
const asking = (sets: RequirementSets) =>
  Object.entries(sets).flatMap(([id, lines]) =>
    lines.map(splitHashes).flatMap(({ requirement, hashes }) => {
      const name = /^(?:-c )?([A-Za-z0-9][A-Za-z0-9._-]*)/.exec(requirement)?.[1] ?? '';
      return hashes.length > 0 && directOf(requirement) === undefined
        ? [{ id, name: normalizeName(name), version: pinnedVersion(requirement), hashes }]
        : [];
    }),
  );

const askedHashes = (sets: RequirementSets, name: string, version: string): string[] => [
  ...new Set(asking(sets).flatMap((one) => (isAbout(one, name, version) ? one.hashes : []))),
];

/**
 * Where the requirements name hashes, no other file may be installed: uv writes down what the index says, not what they ask. What
 * was built here is pinned by its own. Pure. @throws ResolutionError where the index has no such file
 */
export function withOwnHashes(
  distributions: readonly Distribution[],
  sets: RequirementSets,
  made: ReadonlyMap<string, NonNullable<Distribution['made']>> = new Map(),
): Distribution[] {
  const wanted = asking(sets);
  return distributions.map((one) => {
    const built = made.get(`${normalizeName(one.name)}==${one.version}`);
    if (built) return { ...one, hashes: [`sha256:${built.sha256}`], made: built };
    const asked = wanted.filter((other) => isAbout(other, one.name, one.version));
    const hashes = one.hashes.filter((hash) => asked.every((own) => own.hashes.includes(hash)));
    if (hashes.length > 0 || asked.length === 0) return { ...one, hashes };
    throw new ResolutionError(
      `${one.name}==${one.version}: no file of the index has a hash that the requirements of ${asked.map(({ id }) => id).join(', ')} name. Either the package is not the one that was pinned, or the line is wrong: correct --hash in requirements.txt.`,
    );
  });
}

/** A requirement set as uv reads it. */
interface Prepared {
  lines: string[];
  constraints: string[];
  /** Whether versions that are no releases yet may be taken. */
  takesPre: boolean;
  made: { wheel: MadeWheel; of: string }[];
}

const NO_WHEELS = 'nothing can be built from source here';

/** Builds what a set names by its address, so that all of it has a version and a hash. */
async function prepare(
  lines: readonly string[],
  target: Target,
  wheels: Wheels | undefined,
): Promise<Prepared> {
  const prepared: Prepared = { lines: [], constraints: [], takesPre: false, made: [] };
  for (const line of lines) {
    const isConstraint = line.startsWith(BOUND);
    const direct = directOf(isConstraint ? line.slice(BOUND.length) : line);
    if (line === '--pre') prepared.takesPre = true;
    else if (direct) {
      const of = nameOfAddress(direct.address);
      if (!wheels) throw new ResolutionError(`${of}: ${NO_WHEELS}`);
      const wheel = await wheels.ofAddress(direct, target);
      prepared.made.push({ wheel, of });
      const pin = `${wheel.name}${isConstraint ? '' : direct.extras}==${wheel.version}${direct.marker}`;
      (isConstraint ? prepared.constraints : prepared.lines).push(pin);
    } else if (isConstraint) prepared.constraints.push(splitHashes(line.slice(BOUND.length)).requirement);
    else prepared.lines.push(splitHashes(line).requirement);
  }
  return prepared;
}

/** Runs uv on prepared files. @param folder that holds them */
class Attempt {
  constructor(
    private readonly folder: string,
    private readonly ids: readonly string[],
    private readonly target: Target,
    private readonly preferred: readonly Distribution[],
    private readonly takesPre: boolean,
  ) {}

  /** @param onlyWheels else what has none is taken, too, and nothing may be built of the answer as it is */
  async compile(onlyWheels: boolean): Promise<{ code: number | null; stderr: string; lock: string }> {
    const lock = join(this.folder, 'lock.txt');
    // uv keeps to the versions of the file that it writes where it can (`uv pip compile`, --upgrade).
    await writeFile(lock, pins(this.preferred));
    const { python, architecture } = this.target;
    const { code, stderr } = await uv(
      [
        'pip',
        'compile',
        '--quiet',
        '--no-header',
        '--generate-hashes',
        '--annotation-style=split',
        ...(onlyWheels ? ['--only-binary=:all:'] : [`--python=${await findPython(python, this.folder)}`]),
        ...(this.takesPre ? ['--prerelease=allow'] : []),
        `--python-version=${python}`,
        `--python-platform=${uvPlatform(python, architecture)}`,
        '--constraint=constraints.txt',
        '--find-links=wheels',
        '--output-file=lock.txt',
        ...this.ids.map((_, index) => fileOf(index)),
      ],
      this.folder,
    );
    return { code, stderr, lock: code === 0 ? await readFile(lock, 'utf8') : '' };
  }

  failure(stderr: string): ResolutionError {
    const { python, architecture } = this.target;
    return new ResolutionError(
      `the requirements of ${this.ids.join(', ')} cannot be resolved for Python ${python} on ${architecture}: ${readable(stderr, this.ids)}. Correct the requirements.txt that names it.`,
    );
  }
}

/** So many packages of one project are built from source before we give up. */
const MAX_SOURCES = 50;

/**
 * Resolves all requirement sets together, once, so that they share one version of everything. Wheels are taken where there are
 * some that fit; what has none is built from source.
 * @param constraints distributions that are fixed already, those of the layers below
 * @param preferred distributions whose versions are taken where the requirements allow them
 * @param wheels builds what has none. Default: that is refused
 * @throws ResolutionError with uv's explanation and the requirement sets that disagree
 */
export async function resolveSets(
  sets: RequirementSets,
  target: Target,
  constraints: readonly Distribution[] = [],
  preferred: readonly Distribution[] = [],
  wheels?: Wheels,
): Promise<Distribution[]> {
  const ids = Object.keys(sets);
  if (ids.length === 0) return [];
  const folder = await mkdtemp(join(tmpdir(), 'plimsoll-resolve-'));
  const made = new Map<string, NonNullable<Distribution['made']>>();
  const links = join(folder, 'wheels');
  const take = async (name: string, version: string, wheel: NonNullable<Distribution['made']>) => {
    made.set(`${name}==${version}`, wheel);
    if (wheels) await copyFile(placeOfWheel(wheels.folder, wheel), join(links, wheel.file));
  };
  try {
    await mkdir(links);
    for (const one of [...constraints, ...preferred])
      if (one.made) await take(one.name, one.version, one.made);
    const prepared: Prepared[] = [];
    for (const id of ids) prepared.push(await prepare(sets[id] ?? [], target, wheels));
    for (const { wheel, of } of prepared.flatMap((one) => one.made))
      await take(wheel.name, wheel.version, { file: wheel.file, sha256: wheel.sha256, of });
    await Promise.all(
      prepared.map(({ lines }, index) => writeFile(join(folder, fileOf(index)), `${lines.join('\n')}\n`)),
    );
    const bounds = prepared.flatMap((one) => one.constraints);
    await writeFile(join(folder, 'constraints.txt'), `${pins(constraints)}${bounds.join('\n')}\n`);
    const attempt = new Attempt(
      folder,
      ids,
      target,
      preferred,
      prepared.some(({ takesPre }) => takesPre),
    );
    const tried = new Set<string>();
    for (;;) {
      const { code, stderr, lock } = await attempt.compile(true);
      if (code === 0) return withOwnHashes(parseLock(lock, ids), sets, made);
      const lacking = withoutWheels(stderr).filter((name) => !tried.has(name));
      if (!wheels || lacking.length === 0 || tried.size > MAX_SOURCES) throw attempt.failure(stderr);
      const anyhow = await attempt.compile(false);
      const why = whyTooNew(stderr, target);
      if (anyhow.code !== 0) throw why === undefined ? attempt.failure(stderr) : new ResolutionError(why);
      const found = parseLock(anyhow.lock, ids);
      for (const name of lacking) {
        tried.add(name);
        const one = found.find((other) => normalizeName(other.name) === name);
        // Another version of what asks for it may need it no more.
        if (!one) continue;
        const hashes = askedHashes(sets, name, one.version)
          .map((hash) => ` --hash=${hash}`)
          .join('');
        const wheel = await wheels.ofSources(`${name}==${one.version}${hashes}`, target).catch((error) => {
          throw why === undefined ? error : new ResolutionError(why);
        });
        await take(wheel.name, wheel.version, { file: wheel.file, sha256: wheel.sha256, of: 'its sources' });
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Names of all distributions that one requirement set needs, itself and through others. */
export function closure(id: string, distributions: readonly Distribution[]): Set<string> {
  const needed = new Set<string>();
  const visit = (source: string) => {
    for (const { name, via } of distributions) {
      if (via.includes(source) && !needed.has(name)) {
        needed.add(name);
        visit(name);
      }
    }
  };
  visit(id);
  return needed;
}

/** One pinned distribution, as it is written down. */
export const distributionSchema = z.object({
  name: z.string(),
  version: z.string(),
  hashes: z.array(z.string()),
  made: z
    .object({
      file: z.string().regex(/^[\w.+!-]+\.whl$/),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
      of: z.string(),
    })
    .optional(),
  via: z.array(z.string()),
});
const lockSchema = z.array(distributionSchema);

const isRepeatable = (sets: RequirementSets): boolean =>
  Object.values(sets)
    .flat()
    .every((line) => {
      const direct = directOf(line.replace(/^-c /, ''));
      return direct === undefined || isSettled(direct);
    });

/**
 * Resolves as before where neither the requirements nor the target have changed: a build of the same project stays the same. What
 * may have changed at its address is looked at again.
 */
export function rememberingResolver(folder: string, wheels: Wheels): typeof resolveSets {
  return async (sets, target, constraints = [], preferred = []) => {
    if (Object.keys(sets).length === 0) return [];
    const key = createHash('sha256')
      .update(JSON.stringify([sets, target, constraints, preferred]))
      .digest('hex');
    const file = join(folder, `${key}.json`);
    const known = isRepeatable(sets) ? await readCache(file, lockSchema) : undefined;
    const isThere = ({ made }: Distribution) =>
      made === undefined || existsSync(placeOfWheel(wheels.folder, made));
    if (known?.every(isThere)) return known;
    const resolved = await resolveSets(sets, target, constraints, preferred, wheels);
    await writeWhole(file, JSON.stringify(resolved));
    return resolved;
  };
}

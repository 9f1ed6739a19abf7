import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { ResolutionError } from '../errors.ts';
import type { Architecture } from '../project/template.ts';
import { readCache, writeWhole } from './cache.ts';
import { normalizeName } from './names.ts';
import { splitHashes } from './requirements.ts';
import { uv, uvPlatform } from './uv.ts';

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

/** uv's own words, without its frame, and with our file names put back. */
function readable(stderr: string, ids: readonly string[]): string {
  const text = stderr
    .split('\n')
    .filter((line) => !/^(warning|hint):/i.test(line.trim()))
    .map((line) => line.replace(/^[\s×╰─▶│├]+/, ''))
    .join(' ')
    .replace(/set-(\d+)\.txt/g, (whole, index: string) => ids[Number(index)] ?? whole)
    .replace(/\s+/g, ' ');
  return text.trim().slice(0, 2000);
}

/**
 * Where the requirements name hashes, no other file may be installed: uv writes down what the index says, not what they ask.
 * Pure. @throws ResolutionError where the index has no such file
 */
export function withOwnHashes(distributions: readonly Distribution[], sets: RequirementSets): Distribution[] {
  const wanted = Object.entries(sets).flatMap(([id, lines]) =>
    lines.map(splitHashes).flatMap(({ requirement, hashes }) => {
      const name = /^[A-Za-z0-9][A-Za-z0-9._-]*/.exec(requirement)?.[0] ?? '';
      return hashes.length > 0 ? [{ id, name: normalizeName(name), hashes }] : [];
    }),
  );
  return distributions.map((one) => {
    const asking = wanted.filter(({ name }) => name === normalizeName(one.name));
    const hashes = one.hashes.filter((hash) => asking.every((own) => own.hashes.includes(hash)));
    if (hashes.length > 0 || asking.length === 0) return { ...one, hashes };
    throw new ResolutionError(
      `${one.name}==${one.version}: no file of the index has a hash that the requirements of ${asking.map(({ id }) => id).join(', ')} name. Either the package is not the one that was pinned, or the line is wrong: correct --hash in requirements.txt.`,
    );
  });
}

/**
 * Resolves all requirement sets together, once, so that they share one version of everything; wheels only.
 * @param constraints distributions that are fixed already, those of the layers below
 * @param preferred distributions whose versions are taken where the requirements allow them
 * @throws ResolutionError with uv's explanation and the requirement sets that disagree
 */
export async function resolveSets(
  sets: RequirementSets,
  target: Target,
  constraints: readonly Distribution[] = [],
  preferred: readonly Distribution[] = [],
): Promise<Distribution[]> {
  const ids = Object.keys(sets);
  if (ids.length === 0) return [];
  const folder = await mkdtemp(join(tmpdir(), 'plimsoll-resolve-'));
  try {
    await Promise.all(
      ids.map((id, index) => {
        const lines = (sets[id] ?? []).map((line) => splitHashes(line).requirement);
        return writeFile(join(folder, fileOf(index)), `${lines.join('\n')}\n`);
      }),
    );
    await writeFile(join(folder, 'constraints.txt'), pins(constraints));
    // uv keeps to the versions of the file that it writes where it can (`uv pip compile`, --upgrade).
    await writeFile(join(folder, 'lock.txt'), pins(preferred));
    const result = await uv(
      [
        'pip',
        'compile',
        '--quiet',
        '--no-header',
        '--generate-hashes',
        '--annotation-style=split',
        '--only-binary=:all:',
        `--python-version=${target.python}`,
        `--python-platform=${uvPlatform(target.python, target.architecture)}`,
        '--constraint=constraints.txt',
        '--output-file=lock.txt',
        ...ids.map((_, index) => fileOf(index)),
      ],
      folder,
    );
    if (result.code !== 0) {
      const list = ids.join(', ');
      throw new ResolutionError(
        `the requirements of ${list} cannot be resolved for Python ${target.python} on ${target.architecture}: ${readable(result.stderr, ids)}. Correct the requirements.txt that names it.`,
      );
    }
    return withOwnHashes(parseLock(await readFile(join(folder, 'lock.txt'), 'utf8'), ids), sets);
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

const lockSchema = z.array(
  z.object({ name: z.string(), version: z.string(), hashes: z.array(z.string()), via: z.array(z.string()) }),
);

/** Resolves as before where neither the requirements nor the target have changed: a build of the same project stays the same. */
export function rememberingResolver(folder: string): typeof resolveSets {
  return async (sets, target, constraints = [], preferred = []) => {
    if (Object.keys(sets).length === 0) return [];
    const key = createHash('sha256')
      .update(JSON.stringify([sets, target, constraints, preferred]))
      .digest('hex');
    const file = join(folder, `${key}.json`);
    const known = await readCache(file, lockSchema);
    if (known !== undefined) return known;
    const resolved = await resolveSets(sets, target, constraints, preferred);
    await writeWhole(file, JSON.stringify(resolved));
    return resolved;
  };
}

import { parse as parseToml } from 'smol-toml';
import { z } from 'zod';
import { ProjectError } from '../errors.ts';
import { isObject } from '../project/intrinsics.ts';
import { normalizeName } from './names.ts';

/**
 * What poetry.lock, pdm.lock and Pipfile.lock pin, as lines of a requirements file: what the project asks for itself, and every
 * pin as a constraint with its hashes, so that what is for other platforms, groups and extras stays away. All of it pure.
 */

const file = z.looseObject({ hash: z.string() });
const source = z.looseObject({
  type: z.string().optional(),
  url: z.string().optional(),
  resolved_reference: z.string().optional(),
  subdirectory: z.string().optional(),
});
const lockedPackage = z.looseObject({
  name: z.string(),
  version: z.string().optional(),
  files: z.array(file).default([]),
  source: source.optional(),
  /** Of pdm. */
  git: z.string().optional(),
  revision: z.string().optional(),
  path: z.string().optional(),
  url: z.string().optional(),
});
/** Before 1.5 Poetry wrote the files apart: [metadata.files]. */
const lockSchema = z.looseObject({
  package: z.array(lockedPackage).default([]),
  metadata: z.looseObject({ files: z.record(z.string(), z.array(file)).optional() }).default({}),
});
type Locked = z.infer<typeof lockedPackage>;

const pyproject = z.looseObject({
  project: z.looseObject({ dependencies: z.array(z.string()).default([]) }).default({ dependencies: [] }),
  tool: z
    .looseObject({
      poetry: z.looseObject({ dependencies: z.record(z.string(), z.unknown()).default({}) }).optional(),
    })
    .default({}),
});

function parsed<T>(text: string, name: string, schema: z.ZodType<T>, parse: (text: string) => unknown): T {
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    throw new ProjectError(`${name}: ${(error as Error).message.split('\n')[0]}`);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new ProjectError(
    `${name}: ${issue?.path.join('.')}: ${issue?.message}. Write the file anew with its own tool.`,
  );
}

const gitAddress = (url: string, commit: string | undefined, subdirectory: string | undefined) =>
  `git+${url.replace(/^git\+/, '')}${commit ? `@${commit}` : ''}${subdirectory ? `#subdirectory=${subdirectory}` : ''}`;

/** Where a locked package lies, if not in an index. */
function addressOf({ source: from, git, revision, path, url }: Locked): string | undefined {
  if (git) return gitAddress(git, revision, undefined);
  if (from?.type === 'git' && from.url)
    return gitAddress(from.url, from.resolved_reference, from.subdirectory);
  if (from?.type === 'url' && from.url) return from.url;
  if ((from?.type === 'directory' || from?.type === 'file') && from.url)
    return `./${from.url.replace(/^\.\//, '')}`;
  return path ? `./${path.replace(/^\.\//, '')}` : url;
}

const hashes = (files: readonly { hash: string }[]) =>
  [...new Set(files.map(({ hash }) => hash))]
    .sort()
    .map((hash) => ` --hash=${hash}`)
    .join('');

/** A dependency of Poetry's as PEP 508, without its versions: the lock has them. */
function poetryLine(name: string, written: unknown): string | undefined {
  const one = Array.isArray(written) ? written[0] : written;
  const table = isObject(one) ? one : {};
  if (table['optional'] === true) return undefined;
  const extras = Array.isArray(table['extras']) ? `[${table['extras'].join(',')}]` : '';
  const markers = typeof table['markers'] === 'string' ? ` ; ${table['markers']}` : '';
  return `${name}${extras}${Array.isArray(written) ? '' : markers}`;
}

/** The name at the beginning of a requirement, normalised. */
const nameOf = (line: string) => normalizeName(/^[A-Za-z0-9][A-Za-z0-9._-]*/.exec(line)?.[0] ?? '');

/** What the project itself asks for: PEP 621, or Poetry's own table. */
function wantedBy(text: string, name: string): string[] {
  const { project, tool } = parsed(text, name, pyproject, parseToml);
  if (project.dependencies.length > 0) return project.dependencies;
  return Object.entries(tool.poetry?.dependencies ?? {}).flatMap(([dependency, written]) =>
    dependency.toLowerCase() === 'python' ? [] : (poetryLine(dependency, written) ?? []),
  );
}

/**
 * The lines of a poetry.lock or a pdm.lock.
 * @param manifest text of the pyproject.toml beside it
 * @throws ProjectError naming the file
 */
export function linesOfLock(
  lock: string,
  manifest: string,
  names: { lock: string; manifest: string },
): string[] {
  const { package: all, metadata } = parsed(lock, names.lock, lockSchema, parseToml);
  const wanted = wantedBy(manifest, names.manifest);
  const addresses = new Map(
    all.flatMap((one) => {
      const address = addressOf(one);
      return address === undefined ? [] : [[normalizeName(one.name), address] as const];
    }),
  );
  const missing = wanted.find((line) => !all.some(({ name }) => normalizeName(name) === nameOf(line)));
  if (missing !== undefined)
    throw new ProjectError(
      `${names.lock}: does not know ${nameOf(missing)}, which ${names.manifest} asks for. Lock the project anew.`,
    );
  const versions = new Map<string, number>();
  for (const { name } of all) versions.set(normalizeName(name), (versions.get(normalizeName(name)) ?? 0) + 1);
  return [
    ...wanted.flatMap((line) => (addresses.has(nameOf(line)) ? [] : [line.replace(/\s*@.*$/, '')])),
    ...wanted.flatMap((line) => {
      const address = addresses.get(nameOf(line));
      if (address === undefined) return [];
      return [address.startsWith('./') ? address : `${nameOf(line)} @ ${address}`];
    }),
    // Where a lock has two versions of one for different markers, the requirements of the others decide.
    ...all.flatMap(({ name, version, files }) =>
      version === undefined ||
      addresses.has(normalizeName(name)) ||
      (versions.get(normalizeName(name)) ?? 0) > 1
        ? []
        : [`-c ${name}==${version}${hashes([...files, ...(metadata.files?.[name] ?? [])])}`],
    ),
  ];
}

const pipfileLock = z.looseObject({
  default: z.record(
    z.string(),
    z.looseObject({
      version: z.string().optional(),
      hashes: z.array(z.string()).default([]),
      markers: z.string().optional(),
      extras: z.array(z.string()).default([]),
      git: z.string().optional(),
      ref: z.string().optional(),
      subdirectory: z.string().optional(),
      path: z.string().optional(),
      file: z.string().optional(),
    }),
  ),
});

/** The lines of a Pipfile.lock: its packages for every day, each with its hashes and marker. @throws ProjectError naming the file */
export function linesOfPipfileLock(text: string, name: string): string[] {
  const { default: all } = parsed(text, name, pipfileLock, JSON.parse);
  return Object.entries(all).map(([dependency, one]) => {
    const extras = one.extras.length > 0 ? `[${one.extras.join(',')}]` : '';
    const marker = one.markers === undefined ? '' : ` ; ${one.markers}`;
    if (one.path !== undefined) return `./${one.path.replace(/^\.\//, '')}`;
    const address = one.git === undefined ? one.file : gitAddress(one.git, one.ref, one.subdirectory);
    if (address !== undefined) return `${dependency}${extras} @ ${address}${marker}`;
    const version = one.version === undefined || one.version === '*' ? '' : one.version;
    return `${dependency}${extras}${version}${marker}${hashes(one.hashes.map((hash) => ({ hash })))}`;
  });
}

/** The requirements of a pyproject.toml without a lock that we know. @throws ProjectError naming the file */
export const linesOfProject = (text: string, name: string): string[] =>
  parsed(text, name, pyproject, parseToml).project.dependencies;

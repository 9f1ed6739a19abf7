import { type Indexes, readRequirements } from './requirements.ts';

/** Where uv looks for packages, as a project's requirements files say it. */

const VARIABLES = ['UV_DEFAULT_INDEX', 'UV_INDEX', 'UV_INDEX_STRATEGY', 'UV_FIND_LINKS'];

/** What several files say, in their order; the last --index-url counts, as for pip. Pure. */
const mergedIndexes = (all: readonly Indexes[]): Indexes => {
  const index = all.findLast((one) => one.index !== undefined)?.index;
  return {
    ...(index === undefined ? {} : { index }),
    extra: [...new Set(all.flatMap(({ extra }) => extra))],
    links: [...new Set(all.flatMap(({ links }) => links))],
  };
};

const joined = (own: readonly string[], there: string | undefined, separator: string) =>
  [...own, ...(there ? [there] : [])].join(separator);

/**
 * The environment in which uv looks where a project says (uv, "Environment variables"). Where the environment names the index
 * already, whoever runs this has decided, and the project's count for nothing. All indexes count alike, as for pip. Pure.
 */
export function indexEnvironment(
  { index, extra, links }: Indexes,
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  if (environment['UV_DEFAULT_INDEX'] || environment['UV_INDEX_URL']) return {};
  const found: Record<string, string> = {};
  if (index !== undefined) found['UV_DEFAULT_INDEX'] = index;
  if (extra.length > 0) {
    found['UV_INDEX'] = joined(extra, environment['UV_INDEX'], ' ');
    found['UV_INDEX_STRATEGY'] = environment['UV_INDEX_STRATEGY'] ?? 'unsafe-best-match';
  }
  if (links.length > 0) found['UV_FIND_LINKS'] = joined(links, environment['UV_FIND_LINKS'], ',');
  return found;
}

/** What the environment said before a project had its say. */
let before: Readonly<Record<string, string | undefined>> | undefined;

/** The environment without what a project says: for packages that are not its own. */
export function ownEnvironment(): NodeJS.ProcessEnv {
  before ??= Object.fromEntries(VARIABLES.map((name) => [name, process.env[name]]));
  const rest = Object.entries(process.env).filter(([name]) => !VARIABLES.includes(name));
  const own = Object.entries(before).filter(([, value]) => value !== undefined);
  return Object.fromEntries([...rest, ...own]);
}

/**
 * Has uv look where a project says, for as long as this process runs.
 * @param root folder of the project
 * @param files its requirements.txt, paths in the project
 * @throws ProjectError
 */
export async function adoptIndexes(root: string, files: readonly string[]): Promise<void> {
  const all = await Promise.all(files.map((file) => readRequirements(root, file)));
  const indexes = mergedIndexes(all.map((one) => one.indexes));
  const own = ownEnvironment();
  for (const name of VARIABLES) delete process.env[name];
  Object.assign(process.env, own, indexEnvironment(indexes, own));
}

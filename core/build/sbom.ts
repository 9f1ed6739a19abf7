import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { readCache } from './cache.ts';
import { normalizeName } from './names.ts';
import { listTree } from './tree.ts';

/** One component as CycloneDX 1.6 writes it (cyclonedx.org, "JSON reference"). */
interface Component {
  type: 'library';
  'bom-ref': string;
  name: string;
  version: string;
  purl: string;
  licenses?: ({ expression: string } | { license: { name: string } })[];
}

/** Stands beside the artifact's zip. */
export const SBOM_FILE = 'sbom.cdx.json';

export interface Sbom {
  bomFormat: 'CycloneDX';
  specVersion: '1.6';
  version: 1;
  metadata: { component: { type: 'application'; name: string; version: string } };
  components: Component[];
}

/** Enough to tell a whole one from one that was cut off: we have written it ourselves. */
const sbomSchema = z.custom<Sbom>(
  (value) =>
    typeof value === 'object' && value !== null && Array.isArray((value as Partial<Sbom>).components),
);

/** The bill of materials of what lies in a folder, or undefined where it is not there or broken. */
export const readSbom = (folder: string): Promise<Sbom | undefined> =>
  readCache(join(folder, SBOM_FILE), sbomSchema);

const MAX_LICENCE_NAME = 100;

/** The fields of a METADATA file's head, in order (core metadata specification: RFC 822 lines up to the first empty one). */
export function parseMetadata(text: string): [name: string, value: string][] {
  const [head = ''] = text.split(/\r?\n\r?\n/, 1);
  return head
    .replace(/\r?\n[ \t]+/g, ' ')
    .split(/\r?\n/)
    .flatMap((line): [string, string][] => {
      const colon = line.indexOf(':');
      return colon < 1 ? [] : [[line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]];
    });
}

/** SPDX expression where the package gives one, else the names in its classifiers, else the first words of License. */
function licencesOf(fields: readonly [string, string][]): Component['licenses'] {
  const all = (name: string) =>
    fields
      .filter(([key, value]) => key === name && value !== '' && value !== 'UNKNOWN')
      .map(([, value]) => value);
  const [expression] = all('license-expression');
  if (expression !== undefined) return [{ expression }];
  const classified = all('classifier').flatMap((one) => /^License :: (?:.* :: )?(.+)$/.exec(one)?.[1] ?? []);
  const names =
    classified.length > 0 ? classified : all('license').map((one) => one.slice(0, MAX_LICENCE_NAME));
  return names.length > 0 ? [...new Set(names)].map((name) => ({ license: { name } })) : undefined;
}

const component = (
  name: string,
  version: string,
  purl: string,
  licenses: Component['licenses'],
): Component => ({
  type: 'library',
  'bom-ref': purl,
  name,
  version,
  purl,
  ...(licenses ? { licenses } : {}),
});

/** One distribution, from its METADATA. */
export function componentOf(text: string): Component | undefined {
  const fields = parseMetadata(text);
  const name = fields.find(([key]) => key === 'name')?.[1];
  const version = fields.find(([key]) => key === 'version')?.[1];
  if (name === undefined || version === undefined) return undefined;
  const purl = `pkg:pypi/${normalizeName(name)}@${encodeURIComponent(version)}`;
  const licenses = licencesOf(fields);
  return component(name, version, purl, licenses);
}

const npmSchema = z.object({ name: z.string(), version: z.string(), license: z.unknown() });
const SPDX = /^[A-Za-z0-9.+()-]+( (OR|AND|WITH) [A-Za-z0-9.+()-]+)*$/;

/** One npm package, from its package.json; undefined where that describes none. */
export function npmComponentOf(text: string): Component | undefined {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = npmSchema.safeParse(raw);
  if (!parsed.success) return undefined;
  const { name, version, license } = parsed.data;
  // A scope is a namespace of its own (purl-spec, npm): its @ is escaped, its slash is not.
  const purl = `pkg:npm/${name.split('/').map(encodeURIComponent).join('/')}@${encodeURIComponent(version)}`;
  if (typeof license !== 'string') return component(name, version, purl, undefined);
  const known = SPDX.test(license)
    ? { expression: license }
    : { license: { name: license.slice(0, MAX_LICENCE_NAME) } };
  return component(name, version, purl, [known]);
}

const NPM_MANIFEST = /(^|\/)node_modules\/(@[^/]+\/)?[^/]+\/package\.json$/;

/** The npm packages of a tree; what stands there twice in one version is one component. */
function npmComponents(tree: string): Component[] {
  const found = listTree(tree)
    .filter(({ path }) => NPM_MANIFEST.test(path))
    .flatMap(({ path }) => npmComponentOf(readFileSync(join(tree, path), 'utf8')) ?? []);
  return [...new Map(found.map((one) => [one.purl, one])).values()];
}

/** The bill of materials of an artifact, from what is in its tree. The same tree gives the same text. */
export async function sbomOf(name: string, key: string, libraries: string): Promise<Sbom> {
  const folders = (await readdir(libraries)).filter((one) => one.endsWith('.dist-info')).sort();
  const texts = await Promise.all(
    folders.map((folder) => readFile(join(libraries, folder, 'METADATA'), 'utf8').catch(() => '')),
  );
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: { component: { type: 'application', name, version: key } },
    components: [...texts.flatMap((text) => componentOf(text) ?? []), ...npmComponents(libraries)],
  };
}

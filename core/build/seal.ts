import { join } from 'node:path';
import { writeWhole } from './cache.ts';
import type { Manifest } from './manifest.ts';
import { SBOM_FILE, sbomOf } from './sbom.ts';
import { listTree, totalBytes } from './tree.ts';
import { writeZip } from './zip.ts';

export interface Built {
  manifest: Manifest;
  /** Path of the zip. */
  zip: string;
  /** The unpacked tree. */
  tree: string;
}

/** Zips a finished tree, and puts its manifest and its bill of materials beside the zip. @param libraries where its packages stand */
export async function seal(
  tree: string,
  libraries: string,
  workdir: string,
  rest: Omit<Manifest, 'zip' | 'bytes' | 'files'>,
): Promise<Built> {
  const files = listTree(tree);
  const target = join(workdir, `${rest.kind}.zip`);
  const zip = await writeZip(
    tree,
    files.map(({ path }) => path),
    target,
  );
  const manifest: Manifest = {
    ...rest,
    zip,
    bytes: totalBytes(files),
    files: files.map(({ path, bytes }) => [path, bytes]),
  };
  const sbom = await sbomOf(rest.name, rest.key, libraries);
  await writeWhole(join(workdir, SBOM_FILE), `${JSON.stringify(sbom)}\n`);
  await writeWhole(join(workdir, 'manifest.json'), `${JSON.stringify(manifest)}\n`);
  return { manifest, zip: target, tree };
}

import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ProjectError, UnreadableLayerError, UnsafeArchiveError } from '../errors.ts';
import { CONFIG_FILE } from '../project/config.ts';
import { ifThere } from '../project/files.ts';
import { type LayerOfOthers, standIn, titleOf } from '../project/layer-list.ts';
import type { Project } from '../project/project.ts';
import type { PlannedExternal } from '../release/build-plan.ts';
import type { Resolve } from '../release/resolution.ts';
import { sha256 } from '../sha256.ts';
import { ARTIFACT_LIMITS } from '../size/limits.ts';
import type { OnStep } from './artifact.ts';
import { readDependencies } from './dependencies.ts';
import { copyFolder } from './foreign.ts';
import { install } from './install.ts';
import type { Target } from './resolve.ts';
import { listTree, totalBytes } from './tree.ts';
import { unpack } from './unpack.ts';

/**
 * Layers of others: read where they lie, or what plimsoll.yaml names in their stead. They stand on the path wherever code is run,
 * and count toward Lambda's limits; nothing of them is shipped.
 */

/**
 * Fetches the zip of a layer version.
 * @param zip where to put it
 * @returns SHA-256 of the zip, in hex; undefined where this machine reads none
 * @throws UnreadableLayerError where the layer is not there, or not ours to read; UnsafeArchiveError, InstallError
 */
export type ReadLayer = (arn: string, zip: string) => Promise<string | undefined>;

/** A machine that reads none. */
export const readsNone: ReadLayer = async () => undefined;

interface ExternalContext {
  /** Folder of the project. */
  root: string;
  /** Where trees of layers are kept, by what they hold. */
  folder: string;
  /** Folder of the wheels that were built here. */
  wheels: string;
}

const treeIn = (folder: string, { id }: Pick<PlannedExternal, 'id'>) => join(folder, id.replace(':', '-'));

/** Makes a tree in its place, whole or not at all, where it is not there. */
async function madeOnce(tree: string, folder: string, make: (unfinished: string) => Promise<unknown>) {
  if (existsSync(tree)) return tree;
  await mkdir(folder, { recursive: true });
  const unfinished = await mkdtemp(join(folder, 'unfinished-'));
  try {
    await make(join(unfinished, 'tree'));
    await mkdir(join(unfinished, 'tree'), { recursive: true });
    // Another build may have been faster.
    await rename(join(unfinished, 'tree'), tree).catch((error) => {
      if (!existsSync(tree)) throw error;
    });
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return tree;
}

/**
 * The tree of a layer of others, as Lambda unpacks it into /opt.
 * @param fetchStored puts the zip with a SHA-256 somewhere: those that were read are kept by it
 * @throws UnsafeArchiveError, InstallError
 */
export const externalTree = (
  external: PlannedExternal,
  { root, folder, wheels }: ExternalContext,
  fetchStored: (sha256: string, zip: string) => Promise<void>,
): Promise<string> =>
  madeOnce(treeIn(folder, external), folder, async (tree) => {
    const { from, name } = external;
    if ('distributions' in from) await install(from.distributions, join(tree, 'python'), from.target, wheels);
    else if ('folder' in from) await copyFolder(root, from.folder, tree);
    else if ('archive' in from) await unpack(join(root, from.archive), tree, from.archive, ARTIFACT_LIMITS);
    else {
      const zip = `${tree}.zip`;
      await fetchStored(from.stored, zip);
      await unpack(zip, tree, name, ARTIFACT_LIMITS);
    }
  });

/** The trees of all layers of others of a plan, by their ids. @throws as externalTree */
export async function externalTrees(
  externals: readonly PlannedExternal[],
  context: ExternalContext,
  fetchStored: (sha256: string, zip: string) => Promise<void> = async (_hash, zip) => {
    throw new Error(`${zip}: layers of others are kept in the artifact bucket alone`);
  },
): Promise<Map<string, string>> {
  const trees = new Map<string, string>();
  for (const one of externals) trees.set(one.id, await externalTree(one, context, fetchStored));
  return trees;
}

async function fileHash(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

interface Sources extends Omit<ExternalContext, 'root'> {
  resolve: Resolve;
  /** How layers are read. @default none is */
  read?: ReadLayer;
  /** Keeps a zip that was read. */
  store?: (sha256: string, zip: string) => Promise<void>;
  onStep?: OnStep;
}

/** Finds layers of others, each once, and says of each what it holds. */
export class ExternalLayers {
  private readonly found = new Map<string, Promise<PlannedExternal | undefined>>();

  constructor(
    private readonly project: Pick<Project, 'root' | 'home' | 'config'>,
    private readonly sources: Sources,
  ) {}

  /**
   * What a layer holds, for code that is built for a target; undefined where nobody here can know.
   * @throws ProjectError naming the key of plimsoll.yaml, ResolutionError, InstallError
   */
  readonly of = (layer: LayerOfOthers, target: Target): Promise<PlannedExternal | undefined> => {
    const key = JSON.stringify([layer, target]);
    const found = this.found.get(key) ?? this.find(layer, target);
    this.found.set(key, found);
    return found;
  };

  private async find(layer: LayerOfOthers, target: Target): Promise<PlannedExternal | undefined> {
    const { onStep = () => {} } = this.sources;
    const read = layer.arn === undefined ? undefined : await this.read(layer.arn);
    const path = standIn(layer, this.project.config);
    const found = read ?? (path === undefined ? undefined : await this.inStead(layer, path, target));
    if (!found) onStep(`layer ${titleOf(layer)} is not read here: what only it can bring is not checked`);
    return found;
  }

  /** A layer version, from whoever has built it. One that holds links, or more than Lambda takes, is as if it were not there. */
  private async read(arn: string): Promise<PlannedExternal | undefined> {
    const { folder, read = readsNone, store = async () => {}, onStep = () => {} } = this.sources;
    await mkdir(folder, { recursive: true });
    const home = await mkdtemp(join(folder, 'read-'));
    try {
      const zip = join(home, 'layer.zip');
      const stored = await read(arn, zip);
      if (stored === undefined) return undefined;
      await store(stored, zip);
      return await this.measured(
        { id: `external:${stored}`, name: arn, from: { stored } },
        async (_hash, to) => rename(zip, to),
      );
    } catch (error) {
      if (!(error instanceof UnsafeArchiveError || error instanceof UnreadableLayerError)) throw error;
      onStep(`layer ${error.message}`);
      return undefined;
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  }

  /** What plimsoll.yaml names: a zip, a folder or requirements. */
  private async inStead(layer: LayerOfOthers, named: string, target: Target): Promise<PlannedExternal> {
    const { root, home } = this.project;
    const path = home === '' ? named : `${home}/${named}`;
    const name = titleOf(layer);
    const info = await ifThere(stat(join(root, path)));
    const problem = (what: string) =>
      new ProjectError(
        `${CONFIG_FILE}: external: ${named}, in the place of ${name}: ${what}\n  Name a zip or a folder as Lambda unpacks it into /opt, or a requirements file.`,
      );
    if (!info) throw problem('there is no such file or folder');
    if (info.isDirectory()) {
      const hashes = await Promise.all(
        listTree(join(root, path)).map(async (file) => [
          file.path,
          await fileHash(join(root, path, file.path)),
        ]),
      );
      const id = `external:${sha256(JSON.stringify(hashes))}`;
      return this.measured({ id, name, from: { folder: path } });
    }
    if (path.endsWith('.zip'))
      return this.measured({
        id: `external:${await fileHash(join(root, path))}`,
        name,
        from: { archive: path },
      });
    if (!path.endsWith('.txt')) throw problem('neither a zip, nor a folder, nor a .txt');
    const { lines } = await readDependencies(root, path);
    const resolved = await this.sources.resolve({ [named]: lines }, target);
    const distributions = resolved.map((one) => ({ ...one, via: [] }));
    const id = `external:${sha256(JSON.stringify([distributions, target]))}`;
    return this.measured({ id, name, from: { distributions, target } });
  }

  private async measured(
    external: Omit<PlannedExternal, 'bytes'>,
    fetchStored?: (sha256: string, zip: string) => Promise<void>,
  ): Promise<PlannedExternal> {
    const context = { root: this.project.root, ...this.sources };
    const trees = await externalTrees([{ ...external, bytes: 0 }], context, fetchStored);
    const [tree = ''] = trees.values();
    return { ...external, bytes: totalBytes(listTree(tree)) };
  }
}

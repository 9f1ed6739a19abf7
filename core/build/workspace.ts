import { rmSync, statSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PrerequisiteError } from '../errors.ts';
import { decide, type ProvenUnit } from '../optimise/decide.ts';
import { type ProjectDecisions, projectDecisionsSchema } from '../optimise/decisions.ts';
import { ifThere } from '../project/files.ts';
import type { BuildPlan, PlannedFunction, PlannedLayer } from '../release/build-plan.ts';
import { wavesOf, withDecisions, withRequired } from '../release/plan.ts';
import { type OnStep, REMOVED_FILE } from './artifact.ts';
import { readCache, writeWhole } from './cache.ts';
import { externalTrees } from './external.ts';
import { type Manifest, manifestSchema } from './manifest.ts';
import { buildFunction, buildLayer } from './planned.ts';
import { readSbom } from './sbom.ts';

/** Progress of one artifact: a step that begins, or how it ended. */
export interface BuildEvents {
  step(kind: 'layer' | 'function', name: string, step: string): void;
  done(manifest: Manifest, reused: boolean, ms: number): void;
}

export interface WorkspaceArtifact {
  manifest: Manifest;
  /** Folder with the zip, manifest.json and the unpacked tree. */
  folder: string;
  reused: boolean;
}

type Planned = { kind: 'layer'; item: PlannedLayer } | { kind: 'function'; item: PlannedFunction };

const readManifest = (folder: string): Promise<Manifest | undefined> =>
  readCache(join(folder, 'manifest.json'), manifestSchema);

/**
 * Whether all files that a build has left are as long as its manifest says: a power cut leaves them empty or cut off.
 * What the bytes are is not read again; `plimsoll layers validate` does.
 */
async function isWhole({ manifest, folder }: WorkspaceArtifact): Promise<boolean> {
  const { kind, zip, removed, files } = manifest;
  const expected: [string, number][] = [
    [`${kind}.zip`, zip.bytes],
    ...(removed ? [[REMOVED_FILE, removed.bytes] as [string, number]] : []),
    ...files.map(([path, bytes]): [string, number] => [join('tree', path), bytes]),
  ];
  const isAsLong = ([path, bytes]: [string, number]) =>
    statSync(join(folder, path), { throwIfNoEntry: false })?.size === bytes;
  return expected.every(isAsLong) && (await readSbom(folder)) !== undefined;
}

/** Only the newest build of each artifact is kept. */
async function dropOlder(parent: string, keep: string): Promise<void> {
  const names = await readdir(parent);
  await Promise.all(
    names
      .filter((name) => name !== keep)
      .map((name) => rm(join(parent, name), { recursive: true, force: true })),
  );
}

/** Decisions of so many plans are kept, so that one can look at another mode and go back. */
const DECISIONS_KEPT = 4;

async function dropOldDecisions(folder: string): Promise<void> {
  const files = (await readdir(folder)).map((name) => join(folder, name));
  // Another build may have renamed or removed one meanwhile.
  const ages = await Promise.all(
    files.map(async (file) => ({ file, at: (await ifThere(stat(file)))?.mtimeMs ?? 0 })),
  );
  const old = ages.sort((a, b) => b.at - a.at).slice(DECISIONS_KEPT);
  await Promise.all(old.map(({ file }) => rm(file, { force: true })));
}

/** What lies in the folder under the artifact's key, or undefined where it is not built as the project is now. */
export async function findBuilt(
  folder: string,
  kind: 'layer' | 'function',
  { name, key }: PlannedLayer | PlannedFunction,
): Promise<WorkspaceArtifact | undefined> {
  const home = join(folder, `${kind}s`, name, key);
  const manifest = await readManifest(home);
  return manifest && { manifest, folder: home, reused: true };
}

/** Whether the artifact was ever built, as the project was then. */
export const wasBuilt = async (folder: string, kind: 'layer' | 'function', name: string): Promise<boolean> =>
  ((await ifThere(readdir(join(folder, `${kind}s`, name)))) ?? []).length > 0;

/** Where copies of the runtime's own packages are kept from build to build. */
const runtimesIn = (folder: string) => join(folder, 'runtimes');

/** Where wheels that were built here are kept from build to build. */
export const wheelsIn = (folder: string) => join(folder, 'wheels');

/** Where trees of layers of others are kept from build to build. */
export const externalsIn = (folder: string) => join(folder, 'externals');

const treesOfOthers = (root: string, { externals }: BuildPlan, folder: string) =>
  externalTrees(externals, { root, folder: externalsIn(folder), wheels: wheelsIn(folder) });

const decisionsFile = (folder: string, { decisionsKey }: BuildPlan) =>
  join(folder, 'decisions', `${decisionsKey}.json`);

/** The plan with the decisions that lie in the folder, or undefined where they are not there. */
export async function rememberedPlan(plan: BuildPlan, folder: string): Promise<BuildPlan | undefined> {
  const decisions = await rememberedDecisions(plan, folder);
  return decisions && withDecisions(plan, decisions);
}

/** The decisions that lie in the folder, or undefined where they are not there. */
export async function rememberedDecisions(
  plan: BuildPlan,
  folder: string,
): Promise<ProjectDecisions | undefined> {
  return readCache(decisionsFile(folder, plan), projectDecisionsSchema);
}

/** The plan with the optimiser's decisions: those that lie in the folder, or new ones. */
export async function decidedPlan(
  root: string,
  plan: BuildPlan,
  folder: string,
  onStep: OnStep,
): Promise<{ plan: BuildPlan; reused: boolean; units: readonly ProvenUnit[] }> {
  const remembered = await rememberedPlan(plan, folder);
  if (remembered) return { plan: remembered, reused: true, units: [] };
  const file = decisionsFile(folder, plan);
  const workdir = join(folder, 'optimise');
  await rm(workdir, { recursive: true, force: true });
  const { decisions, units } = await decide({
    root,
    plan,
    externals: await treesOfOthers(root, plan, folder),
    workdir,
    runtimes: runtimesIn(folder),
    wheels: wheelsIn(folder),
    onStep,
  });
  await writeWhole(file, JSON.stringify(decisions));
  await dropOldDecisions(dirname(file));
  return { plan: withDecisions(plan, decisions), reused: false, units };
}

/**
 * Builds a plan's artifacts in a folder, wave by wave, those of one wave side by side; what is there under the same
 * key already is used again. An artifact appears in its place only when it is complete.
 * @param only names of the layers and functions to build; what they require is built, too. Default: all
 */
export class Workspace {
  readonly artifacts = new Map<string, WorkspaceArtifact>();

  constructor(
    private readonly root: string,
    private readonly plan: BuildPlan,
    readonly folder: string,
    private readonly events: BuildEvents,
    /** Trees in which the optimiser has just decided; each is taken for its artifact. */
    private readonly units: readonly ProvenUnit[] = [],
  ) {}

  /** Trees of the layers of others that are known, by their ids. */
  treesOfOthers(): Promise<Map<string, string>> {
    return treesOfOthers(this.root, this.plan, this.folder);
  }

  private async build({ kind, item }: Planned): Promise<void> {
    const parent = join(this.folder, `${kind}s`, item.name);
    const home = join(parent, item.key);
    const begin = performance.now();
    const before = await findBuilt(this.folder, kind, item);
    const found = before && (await isWhole(before)) ? before : undefined;
    if (!found) {
      const workdir = join(parent, 'unfinished');
      await rm(workdir, { recursive: true, force: true });
      await mkdir(workdir, { recursive: true });
      const trees = new Map([...this.artifacts].map(([name, { folder }]) => [name, join(folder, 'tree')]));
      const onStep: OnStep = (step) => this.events.step(kind, item.name, step);
      const context = {
        root: this.root,
        plan: this.plan,
        trees,
        externals: await this.treesOfOthers(),
        workdir,
        runtimes: runtimesIn(this.folder),
        wheels: wheelsIn(this.folder),
        onStep,
        decided: this.units.find((unit) => unit.kind === kind && unit.name === item.name),
      };
      await (kind === 'layer' ? buildLayer(item, context) : buildFunction(item, context));
      await rm(home, { recursive: true, force: true });
      await rename(workdir, home);
      await dropOlder(parent, item.key);
    }
    const manifest = found?.manifest ?? (await readManifest(home));
    if (!manifest) throw new Error(`${home}: the build left no manifest`);
    this.artifacts.set(item.name, { manifest, folder: home, reused: found !== undefined });
    this.events.done(manifest, found !== undefined, performance.now() - begin);
  }

  /** Finds what was built before. @throws PrerequisiteError naming the first artifact that was not */
  async open(): Promise<void> {
    const all = [
      ...this.plan.layers.map((item) => ({ kind: 'layer' as const, item })),
      ...this.plan.functions.map((item) => ({ kind: 'function' as const, item })),
    ];
    for (const { kind, item } of all) {
      const found = await findBuilt(this.folder, kind, item);
      if (!found)
        throw new PrerequisiteError(
          `${kind} ${item.name} is not built as the project is now; run: plimsoll build`,
        );
      this.artifacts.set(item.name, found);
    }
  }

  /** Trees that are proven already need no layer beside them. */
  private waves(): PlannedLayer[][] {
    return this.units.length > 0 ? [this.plan.layers] : wavesOf(this.plan.layers);
  }

  async layers(only?: readonly string[]): Promise<void> {
    const names = withRequired(this.plan.layers, only);
    for (const wave of this.waves()) {
      const items = wave.filter(({ name }) => names.has(name));
      await Promise.all(items.map((item) => this.build({ kind: 'layer', item })));
    }
  }

  /** Needs the layers to be there. */
  async functions(): Promise<void> {
    await Promise.all(this.plan.functions.map((item) => this.build({ kind: 'function', item })));
  }

  /** Removes what the optimiser has left. */
  async tidy(): Promise<void> {
    // Synchronous: thousands of small files are gone in a fraction of the time.
    rmSync(join(this.folder, 'optimise'), { recursive: true, force: true });
  }
}

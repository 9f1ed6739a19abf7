import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { allocate } from '../build/allocate.ts';
import { readDependencies } from '../build/dependencies.ts';
import { type Distribution, resolveSets, type Target } from '../build/resolve.ts';
import { findServices, RULE_FILES, type ServicesInUse } from '../build/rules.ts';
import { isLeftover } from '../build/tree.ts';
import { ProjectError } from '../errors.ts';
import { type Decisions, type Mode, NO_DECISIONS, type ProjectDecisions } from '../optimise/decisions.ts';
import { SAFETY_SET } from '../optimise/keep.ts';
import type { ForeignBuild, SamResource } from '../project/foreign.ts';
import { ownValue } from '../project/intrinsics.ts';
import { type LayerOfOthers, othersOf } from '../project/layer-list.ts';
import { type Project, type ProjectFunction, type ProjectLayer, SMOKE_FOLDER } from '../project/project.ts';
import { listSources, rejectLink } from '../project/sources.ts';
import { targetOf } from '../project/target.ts';
import { sha256 } from '../sha256.ts';
import { budgetsOf } from '../size/budget.ts';
import { LAMBDA_UNZIPPED_BYTES } from '../size/limits.ts';
import { megabytes } from '../size/report.ts';
import {
  type BuildPlan,
  type PlannedArtifact,
  type PlannedExternal,
  type PlannedFunction,
  type PlannedLayer,
  UNKNOWN_VALUE,
} from './build-plan.ts';
import { type Resolve, resolveBeside, resolveLayers } from './resolution.ts';
import { clashes, heldBy } from './versions.ts';

/** Raise it when the same input would be built into other bytes. */
const BUILD_FORMAT = 13;

type SourceFile = PlannedArtifact['sources'][number];

/** Whether we build, trim and prove an artifact; else it is as others have built it. */
export const isOurs = ({ foreign }: { foreign?: ForeignBuild | undefined }): boolean => foreign === undefined;

/** Whether a layer of others stands on the path where we prove our functions. */
export const isProvenWith = (
  layer: Pick<PlannedLayer, 'name' | 'foreign'>,
  functions: readonly PlannedFunction[],
): boolean => !isOurs(layer) && functions.some((fn) => isOurs(fn) && fn.layers.includes(layer.name));

/**
 * The files of a folder of the project.
 * @param isShipped whether all of them go to Lambda, so that a link out of the project, or a file larger than Lambda takes, is
 *   an error
 */
function sourcesOf(
  root: string,
  folder: string,
  skip: readonly string[],
  rename: (path: string) => string,
  isShipped = false,
): SourceFile[] {
  const files = listSources(root, folder, isLeftover, isShipped ? rejectLink : undefined).filter(
    ({ path }) => !skip.some((name) => path === name || path.startsWith(`${name}/`)),
  );
  const tooLarge = files.find(({ bytes }) => bytes > LAMBDA_UNZIPPED_BYTES);
  if (tooLarge && isShipped)
    throw new ProjectError(
      `${posix.join(folder, tooLarge.path)}: ${megabytes(tooLarge.bytes)}; Lambda takes ${megabytes(LAMBDA_UNZIPPED_BYTES)} for a function and its layers together. Move the file out of ${folder}.`,
    );
  return files.map(({ path }) => ({ from: posix.join(folder, path), to: rename(path) }));
}

/** Builds that read nothing but their own folder, as long as its manifest names none beside it. */
const keepsToItself = ({ Properties, Metadata }: SamResource) =>
  Metadata?.['BuildProperties'] === undefined &&
  /^nodejs/.test(String(Metadata?.['BuildMethod'] ?? Properties['Runtime']));
const NAMES_ANOTHER_FOLDER = /"(file|link|portal|workspace):/;

/** Files that a foreign build may read, and so follows from: all of the project, unless it is known to keep to its folder. */
async function foreignSources({ root }: Project, path: string, foreign: ForeignBuild): Promise<SourceFile[]> {
  if ('archive' in foreign) return [{ from: path, to: posix.basename(path) }];
  const own = () => sourcesOf(root, path, [SMOKE_FOLDER], (name) => name);
  if ('folder' in foreign) return own();
  if (!keepsToItself(foreign.sam)) return projectSources(root);
  const manifest = await readFile(join(root, path, 'package.json'), 'utf8').catch(() => '');
  return NAMES_ANOTHER_FOLDER.test(manifest) ? projectSources(root) : own();
}

/** `sam build` puts the content of a layer with a BuildMethod under python/, unless it is there already. */
function layerPath(layer: ProjectLayer): (path: string) => string {
  return (path) => (layer.hasBuildMethod && !path.startsWith('python/') ? `python/${path}` : path);
}

/** SHA-256 of a file, which may be larger than a buffer may be. @param buffer to read into */
function sha256Of(path: string, buffer: Buffer): Buffer {
  const hash = createHash('sha256');
  const file = openSync(path, 'r');
  try {
    for (let length = readSync(file, buffer); length > 0; length = readSync(file, buffer))
      hash.update(buffer.subarray(0, length));
  } finally {
    closeSync(file);
  }
  return hash.digest();
}

/** Files are read one after another: there may be more of them than a process may have open. */
function digest(root: string, sources: readonly SourceFile[], rest: unknown): string {
  const hash = createHash('sha256').update(JSON.stringify([BUILD_FORMAT, RULE_FILES, rest]));
  const buffer = Buffer.allocUnsafe(1024 * 1024);
  for (const { from, to } of sources) hash.update(`\0${to}\0`).update(sha256Of(join(root, from), buffer));
  return hash.digest('hex');
}

function servicesInUse(project: Project, sources: readonly SourceFile[]): ServicesInUse {
  const texts = sources
    .filter(({ from }) => from.endsWith('.py'))
    .map(({ from }) => readFileSync(join(project.root, from), 'utf8'));
  const found = findServices(texts);
  const { botocore, optimise } = project.config;
  // What was removed is fetched from S3.
  const more = [...botocore.keep, ...(optimise.fetch ? ['s3'] : [])];
  return found === 'all' ? 'all' : [...new Set([...found, ...more])].sort();
}

/** Every file is read once to learn the services; functions in layers and layers in functions see the same list. */
function together(all: readonly ServicesInUse[]): ServicesInUse {
  return all.includes('all') ? 'all' : [...new Set((all as string[][]).flat())].sort();
}

/** Layers that are built for the same are resolved, and share what they have, together. */
async function planLayers(
  project: Project,
  services: ServicesInUse,
  resolve: Resolve,
): Promise<PlannedLayer[]> {
  const groups = new Map<string, ProjectLayer[]>();
  for (const layer of project.layers) {
    const key = `${layer.target.python} ${layer.target.architecture}`;
    groups.set(key, [...(groups.get(key) ?? []), layer]);
  }
  const planned = await Promise.all(
    [...groups.values()].map((layers) => planGroup(project, layers, services, resolve)),
  );
  return planned.flat();
}

/** @param layers that are built for the same */
async function planGroup(
  project: Project,
  layers: readonly ProjectLayer[],
  services: ServicesInUse,
  resolve: Resolve,
): Promise<PlannedLayer[]> {
  const { root } = project;
  const target = layers[0]?.target ?? project.target;
  const sets = await requirementsOf(root, layers, ({ name }) => name);
  const nameOf = new Map(layers.map(({ logicalId, name }) => [logicalId, name]));
  const users = project.functions.filter((fn) => fn.layers.some((id) => nameOf.has(id)));
  const beside = users.filter((fn) => isOurs(fn) && isSameTarget(targetOf(fn), target));
  const pins = await requirementsOf(root, beside, ({ logicalId }) => logicalId);
  const needed = await resolveLayers(sets, pins, target, resolve);
  const needs = (name: string) => needed.get(name) ?? [];
  const listed = users.map((fn) => fn.layers.flatMap((id) => nameOf.get(id) ?? []));
  const clashing = new Set(
    listed
      .map((names) => names.map((name) => ({ name, distributions: needs(name) })))
      .filter((held) => clashes(held).length > 0)
      .flatMap((held) => held.map(({ name }) => name)),
  );
  const allocated = allocate({
    layers: layers.map(({ name }) => ({ id: name, needs: new Set(needs(name).map(pinned)) })),
    functions: listed.map((names) => ({ layers: names })),
  });
  const result: PlannedLayer[] = [];
  for (const { id, carries, requires, wave } of allocated) {
    const layer = layers.find(({ name }) => name === id);
    if (!layer) continue;
    if (layer.foreign) {
      result.push(await planForeignLayer(project, layer, layer.foreign));
      continue;
    }
    const lower = result.filter(({ name }) => requires.includes(name));
    const all = [...new Set(lower.flatMap((one) => [one.name, ...one.requires]))];
    const sources = sourcesOf(root, layer.contentUri, ['requirements.txt'], layerPath(layer), true);
    const own = needs(id)
      .filter((one) => carries.includes(pinned(one)))
      .map(withoutVia);
    const keepsSources = layer.pythons.length > 1 || clashing.has(id);
    const key = digest(root, sources, [
      target,
      own,
      services,
      result.filter(({ name }) => all.includes(name)).map((one) => one.key),
      ...(keepsSources ? ['keeps its sources'] : []),
    ]);
    result.push({
      logicalId: layer.logicalId,
      name: id,
      key,
      target,
      distributions: own,
      sources,
      services,
      requires: all,
      wave,
      runtimes: layer.pythons.map((python) => `python${python}`),
      architectures: layer.processors,
      keepsSources,
      needs: needs(id)
        .map(({ name }) => name)
        .sort(),
    });
  }
  return result;
}

const pinned = ({ name, version }: Distribution) => `${name}==${version}`;

/** The requirements of those that have some, by id. */
async function requirementsOf<One extends { requirements?: string }>(
  root: string,
  all: readonly One[],
  idOf: (one: One) => string,
): Promise<Record<string, string[]>> {
  const sets: Record<string, string[]> = {};
  for (const one of all)
    if (one.requirements) sets[idOf(one)] = (await readDependencies(root, one.requirements)).lines;
  return sets;
}

/** Who asked for a distribution does not change its bytes. */
const withoutVia = (one: Distribution): Distribution => ({ ...one, via: [] });

/** How a layer of others becomes known: see ExternalLayers. */
export type FindLayer = (layer: LayerOfOthers, target: Target) => Promise<PlannedExternal | undefined>;

type StackedLayer = PlannedLayer | PlannedExternal;

/** A function's layers in its order, without those of which nothing is known; of one that is listed twice, the first counts. */
async function stackOf(
  fn: ProjectFunction,
  layers: readonly PlannedLayer[],
  findLayer: FindLayer,
): Promise<StackedLayer[]> {
  const found = await Promise.all(
    [...new Set(fn.listed)].map((one) =>
      typeof one === 'string'
        ? layers.find(({ logicalId }) => logicalId === one)
        : findLayer(one, targetOf(fn)),
    ),
  );
  return found.filter((one) => one !== undefined);
}

const externalsOf = (stack: readonly StackedLayer[]): PlannedExternal[] =>
  stack.filter((one): one is PlannedExternal => !('key' in one));

interface Planned {
  fn: PlannedFunction;
  externals: readonly PlannedExternal[];
}

async function planFunction(
  project: Project,
  fn: ProjectFunction,
  stack: readonly StackedLayer[],
  resolve: Resolve,
): Promise<PlannedFunction> {
  const { root } = project;
  const target = targetOf(fn);
  const own = stack.filter((one): one is PlannedLayer => 'key' in one);
  const known = externalsOf(stack).map(({ id }) => id);
  const held = heldBy(own);
  const set = await requirementsOf(root, [fn], ({ logicalId }) => logicalId);
  const resolved = await resolveBeside(set, target, held, resolve);
  const distributions = resolved
    .filter((one) => !held.some((other) => pinned(other) === pinned(one)))
    .map(withoutVia);
  const sources = sourcesOf(root, fn.codeUri, [SMOKE_FOLDER], (path) => posix.join(fn.parent, path), true);
  const services = servicesInUse(project, sources);
  return {
    logicalId: fn.logicalId,
    name: fn.logicalId,
    key: digest(root, sources, [
      target,
      distributions,
      services,
      fn.handler,
      environmentOf(fn),
      own.map(({ key }) => key),
      ...(known.length > 0 ? [asDeclared(fn, stack).stack, known] : []),
    ]),
    distributions,
    sources,
    services,
    ...asDeclared(fn, stack),
  };
}

/** What of a planned function is the same whoever builds it. @param stack its layers, as far as they are known */
function asDeclared(fn: ProjectFunction, stack: readonly StackedLayer[]) {
  return {
    layers: stack.flatMap((one) => ('key' in one ? [one.name] : [])),
    foreignLayers: othersOf(fn.listed).length,
    stack: stack.map((one) => ('key' in one ? one.name : one.id)),
    handler: fn.handler,
    runtime: fn.runtime,
    architecture: fn.architecture,
    target: targetOf(fn),
    ...(fn.memoryMb === undefined ? {} : { memoryMb: fn.memoryMb }),
    environment: environmentOf(fn),
    smoke: fn.smoke,
  };
}

const environmentOf = (fn: ProjectFunction): Record<string, string> => ({
  ...Object.fromEntries(fn.environmentNames.map((name) => [name, UNKNOWN_VALUE])),
  ...fn.environment,
});

/** What layers and functions that we do not build have in common. @param path of the code or content */
async function foreignArtifact(project: Project, path: string, foreign: ForeignBuild) {
  const sources = await foreignSources(project, path, foreign);
  return {
    key: digest(project.root, sources, [foreign]),
    foreign,
    distributions: [],
    sources: [],
    services: [],
    decisions: NO_DECISIONS,
  };
}

async function planForeignLayer(
  project: Project,
  { logicalId, name, contentUri, runtimes, architectures, target }: ProjectLayer,
  foreign: ForeignBuild,
): Promise<PlannedLayer> {
  return {
    ...(await foreignArtifact(project, contentUri, foreign)),
    logicalId,
    name,
    requires: [],
    wave: 0,
    target,
    runtimes,
    architectures,
    keepsSources: false,
    needs: [],
  };
}

async function planForeignFunction(
  project: Project,
  fn: ProjectFunction,
  stack: readonly StackedLayer[],
  foreign: ForeignBuild,
): Promise<PlannedFunction> {
  return {
    ...(await foreignArtifact(project, fn.codeUri, foreign)),
    logicalId: fn.logicalId,
    name: fn.logicalId,
    ...asDeclared(fn, stack),
  };
}

/**
 * Decides what a project's release is built of: one resolution over all layers, each distribution in the lowest layer
 * that needs it, functions with what their layers do not hold.
 * @param resolve how requirements are resolved. Default: by the index, each time
 * @param findLayer how layers of others become known. Default: none does
 * @throws ProjectError, ResolutionError
 */
export async function planProject(
  project: Project,
  resolve: Resolve = resolveSets,
  findLayer: FindLayer = async () => undefined,
): Promise<BuildPlan> {
  const { target } = project;
  const everySource = [
    ...project.functions.filter(isOurs).map((fn) => fn.codeUri),
    ...project.layers.filter(isOurs).map((layer) => layer.contentUri),
  ].map((folder) =>
    servicesInUse(
      project,
      sourcesOf(project.root, folder, [SMOKE_FOLDER], (path) => path),
    ),
  );
  const layers = await planLayers(project, together(everySource), resolve);
  const planned = await Promise.all(
    project.functions.map(async (fn): Promise<Planned> => {
      const stack = await stackOf(fn, layers, findLayer);
      return {
        fn: await (fn.foreign
          ? planForeignFunction(project, fn, stack, fn.foreign)
          : planFunction(project, fn, stack, resolve)),
        externals: externalsOf(stack),
      };
    }),
  );
  const functions = planned.map(({ fn }) => fn);
  const externals = new Map(planned.flatMap((one) => one.externals).map((one) => [one.id, one]));
  const mode = modeOf(project);
  const test = await planTest(project, layers, target, resolve);
  const { keep, lazy, keepSources, fetch } = project.config.optimise;
  const inputs = [
    BUILD_FORMAT,
    SAFETY_SET,
    mode,
    keep,
    lazy,
    keepSources,
    fetch,
    test && [test, digest(project.root, projectSources(project.root), [])],
    layers.filter((layer) => isOurs(layer) || isProvenWith(layer, functions)).map(({ key }) => key),
    functions.filter(isOurs).map(({ key, smoke }) => [key, smoke]),
  ];
  return {
    target,
    mode,
    keep,
    lazy,
    keepSources,
    fetch,
    ...(test ? { test } : {}),
    decisionsKey: sha256(JSON.stringify(inputs)),
    layers,
    functions,
    externals: [...externals.values()],
    requirementFiles: project.requirementFiles,
    budgets: budgetsOf(project),
    keepReleases: project.config.keepReleases,
    protect: project.config.protect,
    traffic: project.traffic,
    endpoints: project.config.smoke.endpoints,
  };
}

/** Whatever the tests may read: all of the project. */
const projectSources = (root: string) => sourcesOf(root, '', [], (path) => path);

/** Whether two artifacts run on the same. */
export const isSameTarget = (one: Target, other: Target): boolean =>
  one.python === other.python && one.architecture === other.architecture;

/** The wheels that were built for a plan, each once. */
export const madeWheels = ({ layers, functions, test }: BuildPlan): NonNullable<Distribution['made']>[] => {
  const all = [...layers, ...functions, ...(test ? [test] : [])].flatMap(
    ({ distributions }) => distributions,
  );
  return [...new Map(all.flatMap(({ made }) => (made ? [[made.sha256, made] as const] : []))).values()];
};

/** What the tests need that no layer holds, resolved together with what the layers hold. */
async function planTest(
  { root, config }: Project,
  layers: readonly PlannedLayer[],
  target: Target,
  resolve: Resolve,
): Promise<BuildPlan['test']> {
  const { test } = config.optimise;
  if (!test) return undefined;
  const seen = layers.filter((layer) => isSameTarget(layer.target, target));
  const held = seen.flatMap(({ distributions }) => distributions);
  const set = test.requirements ? { tests: (await readDependencies(root, test.requirements)).lines } : {};
  const resolved = await resolve(set, target, held);
  const distributions = resolved
    .filter(({ name }) => !held.some((other) => other.name === name))
    .map(withoutVia);
  return { run: test.run, distributions };
}

/** `traced` needs to know what the functions do: by tests, or by a smoke event each. plimsoll.yaml decides otherwise. */
function modeOf({ config, ...project }: Project): Mode {
  if (config.optimise.mode !== undefined) return config.optimise.mode;
  if (config.optimise.test) return 'traced';
  const functions = project.functions.filter(isOurs);
  return functions.length > 0 && functions.every(({ smoke }) => smoke.length > 0) ? 'traced' : 'rules';
}

const decided = <A extends PlannedArtifact>(artifact: A, decisions: Decisions | undefined): A => {
  if (!decisions) return artifact;
  const { remove, fetchable, compact, docstrings, sources, lazy } = decisions;
  const key = sha256(JSON.stringify([artifact.key, remove, fetchable, compact, docstrings, sources, lazy]));
  return { ...artifact, key, decisions };
};

/** The plan with the optimiser's decisions in it. An artifact for which they are the same as before keeps its key. Pure. */
export function withDecisions(plan: BuildPlan, decisions: ProjectDecisions): BuildPlan {
  return {
    ...plan,
    layers: plan.layers.map((layer) => decided(layer, ownValue(decisions.layer, layer.name))),
    functions: plan.functions.map((fn) => decided(fn, ownValue(decisions.function, fn.name))),
  };
}

/**
 * The plan where Lambda runs these processors alone, as on a laptop: functions for another one are released, and not called. Pure.
 */
export const withProcessors = (plan: BuildPlan, processors: readonly string[]): BuildPlan => ({
  ...plan,
  functions: plan.functions.map((fn) =>
    processors.includes(fn.architecture)
      ? fn
      : { ...fn, idle: `Lambda here runs ${processors.join(', ')}, not ${fn.architecture}` },
  ),
});

/** The plan with no step of its traffic watched for longer. Pure. @param longest in seconds */
export const withLongestBake = (plan: BuildPlan, longest: number): BuildPlan => ({
  ...plan,
  traffic: {
    ...plan.traffic,
    steps: plan.traffic.steps.map(({ percent, bakeSeconds }) => ({
      percent,
      bakeSeconds: Math.min(bakeSeconds, longest),
    })),
  },
});

/** Whether the optimiser has decided. */
export const isDecided = ({ layers, functions }: BuildPlan): boolean =>
  [...layers, ...functions].every(({ decisions }) => decisions !== undefined);

/** Names of some layers, with those that they need on the path. @param only default: all */
export function withRequired(layers: readonly PlannedLayer[], only?: readonly string[]): Set<string> {
  const wanted = layers.filter(({ name }) => !only || only.includes(name));
  return new Set(wanted.flatMap(({ name, requires }) => [name, ...requires]));
}

/** Layers by wave: those of one wave can be built side by side. */
export function wavesOf(layers: readonly PlannedLayer[]): PlannedLayer[][] {
  const count = Math.max(-1, ...layers.map(({ wave }) => wave)) + 1;
  return Array.from({ length: count }, (_, wave) => layers.filter((layer) => layer.wave === wave));
}

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { canRun, copySources, installPackages } from '../build/artifact.ts';
import { foreignTree } from '../build/foreign.ts';
import { type ImportResult, topLevelModules } from '../build/imports.ts';
import { install } from '../build/install.ts';
import { fromRoot, functionSources } from '../build/planned.ts';
import type { Target } from '../build/resolve.ts';
import { runtimePackages } from '../build/runtime-packages.ts';
import { foldersOfLayer, searchPath } from '../build/search-path.ts';
import { findPython } from '../build/uv.ts';
import type { BuildPlan, PlannedFunction, PlannedLayer } from '../release/build-plan.ts';
import { ownHandler, ownModules, unreadLayers } from '../release/entry.ts';
import { isOurs, isProvenWith, isSameTarget } from '../release/plan.ts';
import { agrees, layersOf, onPath, whyMerged } from '../release/versions.ts';
import type { ProjectDecisions } from './decisions.ts';
import { optimise } from './optimise.ts';
import type { FetchableFile, Unit } from './unit.ts';
import type { Workload } from './workload.ts';

interface DecideInput {
  /** Folder of the project. */
  root: string;
  plan: BuildPlan;
  /** Trees of layers of others, by their ids. */
  externals: ReadonlyMap<string, string>;
  /** An empty folder. */
  workdir: string;
  /** Where copies of the runtime's own packages are kept. */
  runtimes: string;
  /** Folder of the wheels that were built here. */
  wheels: string;
  onStep?: (step: string) => void;
}

/** What runs code that is built for a target. */
type Runner = Pick<Unit, 'interpreter' | 'runtime' | 'idle'>;

/** Runners by target, each made once. */
class Runners {
  private readonly made = new Map<string, Promise<Runner>>();

  constructor(private readonly input: DecideInput) {}

  of(target: Target): Promise<Runner> {
    const key = `${target.python} ${target.architecture}`;
    const runner = this.made.get(key) ?? this.make(target);
    this.made.set(key, runner);
    return runner;
  }

  private async make(target: Target): Promise<Runner> {
    const { workdir, runtimes } = this.input;
    const [interpreter, runtime] = await Promise.all([
      findPython(target.python, workdir),
      runtimePackages(runtimes, target),
    ]);
    const idle = canRun(target) ? undefined : `this machine cannot run code for ${target.architecture}`;
    return { interpreter, runtime, idle };
  }
}

async function layerUnit(
  { root, plan, workdir, wheels }: DecideInput,
  layer: PlannedLayer,
  runners: Runners,
): Promise<Unit> {
  const tree = join(workdir, 'layers', layer.name);
  const libraries = join(tree, 'python');
  const packages = await installPackages(layer.distributions, libraries, layer.target, wheels);
  await copySources(fromRoot(root, layer), tree);
  const own = layer.sources.map(({ to }) => to).filter((path) => path.startsWith('python/'));
  return {
    kind: 'layer',
    name: layer.name,
    libraries,
    ...packages,
    services: layer.services,
    beneath: layer.requires,
    own: new Set(own.map((path) => path.slice('python/'.length))),
    modules: [],
    keepsSources: plan.keepSources || layer.keepsSources,
    ...(await runners.of(layer.target)),
  };
}

async function functionUnit(
  { root, plan, workdir, wheels }: DecideInput,
  fn: PlannedFunction,
  runners: Runners,
): Promise<Unit> {
  const libraries = join(workdir, 'functions', fn.name);
  const packages = await installPackages(fn.distributions, libraries, fn.target, wheels);
  const sources = functionSources(root, fn);
  await copySources(sources, libraries);
  return {
    kind: 'function',
    name: fn.name,
    libraries,
    ...packages,
    services: fn.services,
    beneath: fn.layers,
    own: new Set(sources.map(({ to }) => to)),
    modules: ownModules(fn),
    keepsSources: plan.keepSources,
    ...(await runners.of(fn.target)),
  };
}

const modulesOf = (units: readonly Unit[]) => [
  ...new Set(units.flatMap(({ installed, modules }) => [...installed.flatMap(topLevelModules), ...modules])),
];

/** The project's tests see all layers of the main target, then what they need themselves, then its functions. */
async function testWorkload(
  { root, plan, workdir, wheels }: DecideInput,
  { layers, functions }: Trees,
  runners: Runners,
): Promise<Workload[]> {
  const { interpreter, runtime, idle } = await runners.of(plan.target);
  if (!plan.test || idle !== undefined) return [];
  const { run, distributions } = plan.test;
  const isSeen = (kind: 'layers' | 'functions') => (unit: Unit) =>
    plan[kind].some(({ name, target }) => name === unit.name && isSameTarget(target, plan.target));
  const own = join(workdir, 'tests');
  await install(distributions, own, plan.target, wheels);
  return [
    {
      name: 'tests',
      interpreter,
      bytecodeCache: bytecodeCache(workdir),
      paths: [
        ...layers.filter(isSeen('layers')).map(({ libraries }) => libraries),
        own,
        ...functions.filter(isSeen('functions')).map(({ libraries }) => libraries),
        ...runtime,
      ],
      modules: [],
      events: [],
      test: { run, root },
      environment: {},
    },
  ];
}

const bytecodeCache = (workdir: string) => join(workdir, 'bytecode-of-untouched');

/** The libraries of those layers that our functions use and that are not ours. */
async function foreignLayers({ root, plan, externals, workdir }: DecideInput): Promise<Map<string, string>> {
  const libraries = new Map([...externals].map(([id, tree]) => [id, join(tree, 'python')]));
  for (const { name, logicalId, foreign } of plan.layers.filter((one) => isProvenWith(one, plan.functions))) {
    const folder = join(workdir, 'foreign', name);
    await mkdir(folder, { recursive: true });
    const context = { root, workdir: folder };
    if (foreign) libraries.set(name, join(await foreignTree(logicalId, foreign, context), 'python'));
  }
  return libraries;
}

/** What workloads run on. */
interface Trees {
  layers: readonly Unit[];
  functions: readonly Unit[];
  /** Folders of the libraries of layers that others have built, by name: on the path, and left alone. */
  foreign: ReadonlyMap<string, string>;
}

/**
 * One workload a function, and one for each layer that no function uses as it was resolved: its imports. A function that sees
 * other versions than a layer was resolved with need not be able to import all of that layer.
 */
function workloadsOf({ plan, workdir }: DecideInput, { layers, functions, foreign }: Trees): Workload[] {
  const common = { fetch: plan.fetch, bytecodeCache: bytecodeCache(workdir) };
  const pick = (names: readonly string[]) =>
    names.flatMap((name) => layers.find((unit) => unit.name === name) ?? []);
  const ours = plan.functions.filter(isOurs);
  const isProvenIn = (fn: PlannedFunction) => agrees(fn, plan.layers);
  const pathsOf = (names: readonly string[]) =>
    onPath(names).flatMap(
      (name) => layers.find((unit) => unit.name === name)?.libraries ?? foreign.get(name) ?? [],
    );
  const idle = plan.layers.filter(
    (layer) => isOurs(layer) && !ours.some((fn) => fn.layers.includes(layer.name) && isProvenIn(fn)),
  );
  const ofFunctions = (wanted: boolean) =>
    ours.flatMap((fn, index): Workload[] => {
      if (isProvenIn(fn) !== wanted) return [];
      const own = functions[index];
      const handler = ownHandler(fn);
      const merged = whyMerged(layersOf(fn, plan.layers));
      if (own === undefined || own.idle !== undefined) return [];
      return [
        {
          ...common,
          interpreter: own.interpreter,
          name: fn.name,
          others: unreadLayers(fn) > 0,
          paths: searchPath(
            own.libraries,
            pathsOf(fn.stack),
            { environment: fn.environment, python: fn.target.python },
            own.runtime,
          ),
          modules: modulesOf([...(wanted ? pick(fn.layers) : []), own]),
          ...(handler === undefined ? { blind: 'its handler is in a layer of others' } : { handler }),
          ...(merged === undefined ? {} : { blind: merged }),
          events: fn.smoke,
          environment: fn.environment,
        },
      ];
    });
  // How a layer's modules import is asked of the first workload that sees it.
  return [
    ...ofFunctions(true),
    ...idle.flatMap((layer): Workload[] => {
      const seen = pick([layer.name, ...layer.requires]);
      const own = seen.find(({ name }) => name === layer.name);
      if (own === undefined || own.idle !== undefined) return [];
      return [
        {
          ...common,
          interpreter: own.interpreter,
          name: layer.name,
          paths: [
            ...seen.flatMap(({ libraries }) => foldersOfLayer(libraries, layer.target.python)),
            ...own.runtime,
          ],
          modules: modulesOf(seen),
          events: [],
          environment: {},
        },
      ];
    }),
    ...ofFunctions(false),
  ];
}

/** A tree in which all that was decided is done. */
export interface ProvenUnit extends Unit {
  /** How its modules were imported in the last proof; empty where this machine cannot run them. */
  imports: readonly ImportResult[];
  fetchable: readonly FetchableFile[];
}

export interface Decided {
  decisions: ProjectDecisions;
  /** The trees below `workdir`, as decided and proven. */
  units: ProvenUnit[];
}

/**
 * Installs all artifacts of a plan and decides, by proof, what can go from each. The trees are left for the caller.
 * For a processor that this machine is not, nothing can be run: rules and the loader's view decide alone.
 * @throws WorkloadError, ImportCheckError, InstallError, ToolMissingError
 */
export async function decide(input: DecideInput): Promise<Decided> {
  const { plan, workdir, onStep = () => {} } = input;
  await mkdir(workdir, { recursive: true });
  onStep('install');
  const runners = new Runners(input);
  const [layers, functions, foreign] = await Promise.all([
    Promise.all(plan.layers.filter(isOurs).map((layer) => layerUnit(input, layer, runners))),
    Promise.all(plan.functions.filter(isOurs).map((fn) => functionUnit(input, fn, runners))),
    foreignLayers(input),
  ]);
  const trees = { layers, functions, foreign };
  const units = [...layers, ...functions];
  const workloads = [...workloadsOf(input, trees), ...(await testWorkload(input, trees, runners))];
  const { decisions, imports, fetchable } = await optimise({
    units,
    workloads,
    mode: workloads.length > 0 ? plan.mode : 'rules',
    keep: plan.keep,
    lazy: plan.lazy,
    fetch: plan.fetch,
    workdir,
    onStep,
  });
  return {
    decisions,
    units: units.map((unit) => ({
      ...unit,
      imports: imports.get(unit) ?? [],
      fetchable: fetchable.get(unit) ?? [],
    })),
  };
}

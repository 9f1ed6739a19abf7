import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { canRun, copySources, installPackages } from '../build/artifact.ts';
import { foreignTree } from '../build/foreign.ts';
import { type ImportResult, topLevelModules } from '../build/imports.ts';
import { install } from '../build/install.ts';
import { fromRoot, functionSources } from '../build/planned.ts';
import { runtimePackages } from '../build/runtime-packages.ts';
import { findPython } from '../build/uv.ts';
import type { BuildPlan, PlannedFunction, PlannedLayer } from '../release/build-plan.ts';
import { handlerModule, isOurs, isProvenWith } from '../release/plan.ts';
import type { ProjectDecisions } from './decisions.ts';
import { optimise } from './optimise.ts';
import type { FetchableFile, Unit } from './unit.ts';
import type { Workload } from './workload.ts';

interface DecideInput {
  /** Folder of the project. */
  root: string;
  plan: BuildPlan;
  /** An empty folder. */
  workdir: string;
  /** Where copies of the runtime's own packages are kept. */
  runtimes: string;
  onStep?: (step: string) => void;
}

async function layerUnit({ root, plan, workdir }: DecideInput, layer: PlannedLayer): Promise<Unit> {
  const tree = join(workdir, 'layers', layer.name);
  const libraries = join(tree, 'python');
  const packages = await installPackages(layer.distributions, libraries, plan.target);
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
  };
}

async function functionUnit({ root, plan, workdir }: DecideInput, fn: PlannedFunction): Promise<Unit> {
  const libraries = join(workdir, 'functions', fn.name);
  const packages = await installPackages(fn.distributions, libraries, plan.target);
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
    modules: [handlerModule(fn.handler)],
  };
}

const modulesOf = (units: readonly Unit[]) => [
  ...new Set(units.flatMap(({ installed, modules }) => [...installed.flatMap(topLevelModules), ...modules])),
];

/** The project's tests see all layers, then what they need themselves, then the functions. */
async function testWorkload(
  { root, plan, workdir }: DecideInput,
  { layers, functions, runtime }: Trees,
  interpreter: string,
): Promise<Workload[]> {
  if (!plan.test) return [];
  const { run, distributions } = plan.test;
  const own = join(workdir, 'tests');
  await install(distributions, own, plan.target);
  return [
    {
      name: 'tests',
      interpreter,
      bytecodeCache: bytecodeCache(workdir),
      paths: [
        ...layers.map(({ libraries }) => libraries),
        own,
        ...functions.map(({ libraries }) => libraries),
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

/** The libraries of those layers of others that our functions use. */
async function foreignLayers({ root, plan, workdir }: DecideInput): Promise<Map<string, string>> {
  const libraries = new Map<string, string>();
  for (const { name, logicalId, foreign } of plan.layers.filter((one) => isProvenWith(one, plan.functions))) {
    const folder = join(workdir, 'foreign', name);
    await mkdir(folder, { recursive: true });
    const context = { root, plan, workdir: folder };
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
  /** Folders of the runtime's own packages: last on the path, and left alone. */
  runtime: readonly string[];
}

/** One workload a function, and one for each layer that no function uses: its imports. */
function workloadsOf(
  { plan, workdir }: DecideInput,
  { layers, functions, foreign, runtime }: Trees,
  interpreter: string,
): Workload[] {
  const common = { interpreter, fetch: plan.fetch, bytecodeCache: bytecodeCache(workdir) };
  const pick = (names: readonly string[]) =>
    names.flatMap((name) => layers.find((unit) => unit.name === name) ?? []);
  const ours = plan.functions.filter(isOurs);
  const pathsOf = (names: readonly string[]) =>
    names.flatMap((name) => layers.find((unit) => unit.name === name)?.libraries ?? foreign.get(name) ?? []);
  const idle = plan.layers.filter(
    (layer) => isOurs(layer) && !ours.some((fn) => fn.layers.includes(layer.name)),
  );
  return [
    ...ours.map((fn, index): Workload => {
      const own = functions[index] ? [functions[index]] : [];
      return {
        ...common,
        name: fn.name,
        paths: [...own.map(({ libraries }) => libraries), ...pathsOf(fn.layers), ...runtime],
        modules: modulesOf([...pick(fn.layers), ...own]),
        handler: fn.handler,
        events: fn.smoke,
        environment: fn.environment,
      };
    }),
    ...idle.map((layer): Workload => {
      const seen = pick([layer.name, ...layer.requires]);
      return {
        ...common,
        name: layer.name,
        paths: [...seen.map(({ libraries }) => libraries), ...runtime],
        modules: modulesOf(seen),
        events: [],
        environment: {},
      };
    }),
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
  const { plan, workdir, runtimes, onStep = () => {} } = input;
  await mkdir(workdir, { recursive: true });
  onStep('install');
  const [layers, functions, foreign, runtime, interpreter] = await Promise.all([
    Promise.all(plan.layers.filter(isOurs).map((layer) => layerUnit(input, layer))),
    Promise.all(plan.functions.filter(isOurs).map((fn) => functionUnit(input, fn))),
    foreignLayers(input),
    runtimePackages(runtimes, plan.target),
    findPython(plan.target.python, workdir),
  ]);
  const trees = { layers, functions, foreign, runtime };
  const runs = canRun(plan.target);
  const units = [...layers, ...functions];
  const { decisions, imports, fetchable } = await optimise({
    units,
    interpreter,
    runtime,
    workloads: runs
      ? [...workloadsOf(input, trees, interpreter), ...(await testWorkload(input, trees, interpreter))]
      : [],
    mode: runs ? plan.mode : 'rules',
    keep: plan.keep,
    lazy: plan.lazy,
    keepSources: plan.keepSources,
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

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProvenUnit } from '../optimise/decide.ts';
import type { Decisions } from '../optimise/decisions.ts';
import type { BuildPlan, PlannedFunction, PlannedLayer } from '../release/build-plan.ts';
import { ownModules, unreadLayers } from '../release/entry.ts';
import { PROBE_FILE } from '../release/probe.ts';
import { clashes, layersOf, onPath, ownVersions } from '../release/versions.ts';
import { megabytes } from '../size/report.ts';
import { buildArtifact, type OnStep } from './artifact.ts';
import { buildForeign } from './foreign.ts';
import type { Manifest } from './manifest.ts';
import { LOOKED_AT, usedOfRuntime } from './runtime-packages.ts';
import { script } from './scripts.ts';
import type { Built } from './seal.ts';

export interface BuildContext {
  /** Folder of the project. */
  root: string;
  plan: BuildPlan;
  /** Unpacked trees of the layers that were built before, by name. */
  trees: ReadonlyMap<string, string>;
  /** Trees of layers of others, by their ids. */
  externals: ReadonlyMap<string, string>;
  /** An empty folder of this build's own. */
  workdir: string;
  /** Where copies of the runtime's own packages are kept. */
  runtimes: string;
  /** Folder of the wheels that were built here. */
  wheels: string;
  onStep?: OnStep;
  /** The tree in which the optimiser decided, where it is still there. */
  decided?: ProvenUnit | undefined;
}

export const fromRoot = (root: string, { sources }: PlannedLayer | PlannedFunction) =>
  sources.map(({ from, to }) => ({ from: join(root, from), to }));

/** What a function ships of the project, and the probe. */
export const functionSources = (root: string, fn: PlannedFunction) => [
  ...fromRoot(root, fn),
  { from: script(PROBE_FILE), to: PROBE_FILE },
];

function decisionsOf({ name, decisions }: PlannedLayer | PlannedFunction): Decisions {
  if (!decisions) throw new Error(`${name}: the optimiser has not decided yet`);
  return decisions;
}

const librariesOf = (trees: ReadonlyMap<string, string>, names: readonly string[]) =>
  onPath(names).flatMap((name) => {
    const tree = trees.get(name);
    return tree === undefined ? [] : [join(tree, 'python')];
  });

/** Builds one layer of a plan; the layers that it requires must have been built. @throws see buildArtifact, buildForeign */
export function buildLayer(
  layer: PlannedLayer,
  { root, trees, workdir, runtimes, wheels, onStep, decided }: BuildContext,
): Promise<Built> {
  if (layer.foreign) return buildForeign('layer', layer, layer.foreign, { root, workdir, onStep });
  return buildArtifact(
    {
      ...layer,
      decisions: decisionsOf(layer),
      decided,
      kind: 'layer',
      target: layer.target,
      libraries: 'python',
      mount: '/opt',
      sources: fromRoot(root, layer),
      modules: [],
      notes: () => notesOnSources({ kind: 'layer', ...layer }),
      beside: librariesOf(trees, layer.requires),
      runtimes,
      wheels,
    },
    workdir,
    onStep,
  );
}

/** Measured with boto3 1.38.36 and client('s3') on x86_64: docs/builds.md, "The runtime's own packages". */
const LISTING_BOTO3 =
  'Listed in requirements.txt, boto3 stays as it is, for 4 MB unzipped and a start up to 0.3 s shorter';

/** That the version of what a function takes from the runtime is not the project's to say. */
function notesOnRuntime(root: string, plan: BuildPlan, fn: PlannedFunction): string[] {
  const own = layersOf(fn, plan.layers);
  const held = new Set([fn, ...own].flatMap(({ distributions }) => distributions.map(({ name }) => name)));
  const python = [fn, ...own].flatMap(({ sources }) => sources).filter(({ to }) => to.endsWith('.py'));
  const texts = python.map(({ from }) => readFileSync(join(root, from), 'utf8'));
  const used = usedOfRuntime(texts, held, fn.target.python);
  if (used.length === 0) return [];
  const names = used.map(({ name, version }) => `${name} ${version}`).join(', ');
  return [
    `functions take ${names} from the runtime python${fn.target.python} (versions looked at on ${LOOKED_AT}); AWS moves them without notice. ${LISTING_BOTO3}`,
  ];
}

/** What has no wheel, and what it was built of. */
const notesOnSources = ({
  kind,
  name,
  distributions,
}: { kind: string } & Pick<PlannedLayer, 'name' | 'distributions'>) =>
  distributions.flatMap(({ made, ...one }) =>
    made ? [`${kind} ${name}: ${one.name} ${one.version} was built from ${made.of}`] : [],
  );

/** What a function carries or sees in another version than its layers hold, and what that costs. */
function notesOnVersions(
  plan: BuildPlan,
  fn: PlannedFunction,
  distributions: Manifest['distributions'],
): string[] {
  const layers = layersOf(fn, plan.layers);
  const bytes = (wanted: string) => distributions.find(({ name }) => name === wanted)?.installedBytes ?? 0;
  return [
    ...ownVersions(fn, layers).map(
      ({ name, version, layer, layerVersion }) =>
        `function ${fn.name}: ${name} ${version} (${megabytes(bytes(name))} installed) is packaged with the function; layer ${layer} has ${layerVersion}`,
    ),
    ...clashes(layers).map(
      ({ name, version, layer, layerVersion }) =>
        `function ${fn.name}: ${name} ${version} is used; a later layer overrides ${layerVersion} of layer ${layer}`,
    ),
  ];
}

/** Builds one function of a plan and proves, where it is ours, that its handler imports beside its layers. @throws see buildArtifact, buildForeign */
export function buildFunction(
  fn: PlannedFunction,
  { root, plan, trees, externals, workdir, runtimes, wheels, onStep, decided }: BuildContext,
): Promise<Built> {
  if (fn.foreign) return buildForeign('function', fn, fn.foreign, { root, workdir, onStep });
  return buildArtifact(
    {
      ...fn,
      decisions: decisionsOf(fn),
      decided,
      kind: 'function',
      target: fn.target,
      libraries: '',
      mount: '/var/task',
      sources: functionSources(root, fn),
      modules: ownModules(fn),
      beside: librariesOf(new Map([...trees, ...externals]), fn.stack),
      runtimes,
      wheels,
      others: unreadLayers(fn) > 0,
      notes: (distributions) => [
        ...notesOnRuntime(root, plan, fn),
        ...notesOnVersions(plan, fn, distributions),
        ...notesOnSources({ kind: 'function', ...fn }),
      ],
    },
    workdir,
    onStep,
  );
}

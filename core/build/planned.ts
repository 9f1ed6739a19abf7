import { join } from 'node:path';
import type { ProvenUnit } from '../optimise/decide.ts';
import type { Decisions } from '../optimise/decisions.ts';

import type { BuildPlan, PlannedFunction, PlannedLayer } from '../release/build-plan.ts';
import { handlerModule } from '../release/plan.ts';
import { PROBE_FILE } from '../release/probe.ts';
import { buildArtifact, type OnStep } from './artifact.ts';
import { buildForeign } from './foreign.ts';
import { script } from './scripts.ts';
import type { Built } from './seal.ts';

export interface BuildContext {
  /** Folder of the project. */
  root: string;
  plan: BuildPlan;
  /** Unpacked trees of the layers that were built before, by name. */
  trees: ReadonlyMap<string, string>;
  /** An empty folder of this build's own. */
  workdir: string;
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
  names.flatMap((name) => {
    const tree = trees.get(name);
    return tree === undefined ? [] : [join(tree, 'python')];
  });

/** Builds one layer of a plan; the layers that it requires must have been built. @throws see buildArtifact, buildForeign */
export function buildLayer(
  layer: PlannedLayer,
  { root, plan, trees, workdir, onStep, decided }: BuildContext,
): Promise<Built> {
  if (layer.foreign) return buildForeign('layer', layer, layer.foreign, { root, plan, workdir, onStep });
  return buildArtifact(
    {
      ...layer,
      decisions: decisionsOf(layer),
      decided,
      kind: 'layer',
      target: plan.target,
      libraries: 'python',
      mount: '/opt',
      sources: fromRoot(root, layer),
      modules: [],
      beside: librariesOf(trees, layer.requires),
    },
    workdir,
    onStep,
  );
}

/** Builds one function of a plan and proves, where it is ours, that its handler imports beside its layers. @throws see buildArtifact, buildForeign */
export function buildFunction(
  fn: PlannedFunction,
  { root, plan, trees, workdir, onStep, decided }: BuildContext,
): Promise<Built> {
  if (fn.foreign) return buildForeign('function', fn, fn.foreign, { root, plan, workdir, onStep });
  return buildArtifact(
    {
      ...fn,
      decisions: decisionsOf(fn),
      decided,
      kind: 'function',
      target: plan.target,
      libraries: '',
      mount: '/var/task',
      sources: functionSources(root, fn),
      modules: [handlerModule(fn.handler)],
      beside: librariesOf(trees, fn.layers),
    },
    workdir,
    onStep,
  );
}

import { relative } from 'node:path';
import { canRun } from '../../core/build/artifact.ts';
import { type ComposedLayer, compose, mounted, type Piece } from '../../core/build/compose.ts';
import { distributionsOf, requirementsIn, shippedBytes, withRequirements } from '../../core/build/uses.ts';
import type { Workspace } from '../../core/build/workspace.ts';
import { UnsupportedProjectError } from '../../core/errors.ts';
import { runWorkload } from '../../core/optimise/workload.ts';
import type { BuildPlan, PlannedFunction } from '../../core/release/build-plan.ts';
import { isOurs } from '../../core/release/plan.ts';
import { LAMBDA_LAYERS_PER_FUNCTION } from '../../core/size/limits.ts';
import { megabytes } from '../../core/size/report.ts';
import { builtLayersOf, builtWorkload, librariesOf } from '../built-workload.ts';
import { type Overrides, openBuild } from '../open-build.ts';
import { table } from '../show/table.ts';

interface Options extends Overrides {
  json: boolean;
}

interface Proposed extends ComposedLayer {
  name: string;
}

/** Distributions of the layers that a function's handler and events use, with what these say that they need. */
async function usedBy(
  fn: PlannedFunction,
  workspace: Workspace,
  requirements: ReadonlyMap<string, string[]>,
): Promise<Set<string>> {
  const layers = builtLayersOf(fn, workspace);
  const { trace } = await runWorkload(await builtWorkload(fn, workspace, fn.smoke), true);
  const files = [...trace.opened, ...Object.values(trace.modules)];
  const used = layers.flatMap((layer) => {
    const inside = files
      .map((path) => relative(librariesOf(layer), path))
      .filter((path) => !path.startsWith('..'));
    return [...distributionsOf(layer.manifest, inside)];
  });
  return withRequirements(used, requirements);
}

/** Each proposal has the name of today's layer from which it takes most; a second one of that name gets a number. */
function named(layers: readonly ComposedLayer[], { layers: today }: BuildPlan): Proposed[] {
  const taken = new Map<string, number>();
  return layers.map((layer) => {
    const share = (name: string) => {
      const held = new Set(today.find((one) => one.name === name)?.distributions.map((one) => one.name));
      return layer.pieces.reduce((sum, one) => sum + (held.has(one.name) ? one.bytes : 0), 0);
    };
    const base = today
      .map(({ name }) => name)
      .reduce((a, b) => (share(b) > share(a) ? b : a), today[0]?.name ?? 'layer');
    const count = (taken.get(base) ?? 0) + 1;
    taken.set(base, count);
    return { ...layer, name: count === 1 ? base : `${base}-${count}` };
  });
}

/** Today's split, with who mounts what: a layer is mounted by every function that names it, whether it needs it or not. */
function todayOf({ layers, functions }: BuildPlan, pieces: readonly Piece[]): Proposed[] {
  return layers.map(({ name, distributions }) => {
    const own = pieces.filter((piece) => distributions.some((one) => one.name === piece.name));
    return {
      name,
      pieces: own,
      bytes: own.reduce((sum, { bytes }) => sum + bytes, 0),
      functions: functions.filter((fn) => fn.layers.includes(name)).map((fn) => fn.name),
    };
  });
}

const splitTable = (layers: readonly Proposed[]) =>
  table(
    [{ title: 'layer' }, { title: 'size', align: 'right' }, { title: 'mounted by' }, { title: 'holds' }],
    layers.map(({ name, bytes, functions, pieces }) => [
      name,
      megabytes(bytes),
      functions.join(', ') || 'nobody',
      pieces.map((piece) => piece.name).join(', '),
    ]),
  );

/** Bytes that each function mounts today and would mount. */
function functionTable(
  functions: readonly string[],
  today: readonly Proposed[],
  proposed: readonly Proposed[],
): string {
  const sum = (layers: readonly Proposed[], name: string) =>
    layers.filter((one) => one.functions.includes(name)).reduce((bytes, one) => bytes + one.bytes, 0);
  return table(
    [
      { title: 'function' },
      { title: 'mounts today', align: 'right' },
      { title: 'would mount', align: 'right' },
    ],
    functions.map((name) => [name, megabytes(sum(today, name)), megabytes(sum(proposed, name))]),
  );
}

/** Proposes a split of the distributions into layers, from what the functions use, and shows it beside today's. */
export async function composeLayers(options: Options): Promise<void> {
  const { plan: whole, workspace } = await openBuild(options);
  // What others build is not ours to split.
  const plan = { ...whole, layers: whole.layers.filter(isOurs), functions: whole.functions.filter(isOurs) };
  const elsewhere = plan.functions.find(({ target }) => !canRun(target));
  if (elsewhere)
    throw new UnsupportedProjectError(
      `layers compose runs the functions, and this machine cannot run ${elsewhere.name}, which is for ${elsewhere.architecture}; run it on such a machine`,
    );
  const layers = plan.layers.flatMap(({ name }) => workspace.artifacts.get(name) ?? []);
  const requirements = new Map(layers.flatMap((layer) => [...requirementsIn(librariesOf(layer))]));
  const uses = await Promise.all(
    plan.functions.map(async (fn) => [fn.name, await usedBy(fn, workspace, requirements)] as const),
  );
  const pieces: Piece[] = layers
    .flatMap(({ manifest }) => [...shippedBytes(manifest)])
    .map(([name, bytes]) => ({
      name,
      bytes,
      functions: uses.flatMap(([fn, used]) => (used.has(name) ? [fn] : [])),
    }));
  const isSplit = (name: string) => plan.layers.some((layer) => layer.name === name);
  const foreign = Math.max(
    0,
    ...plan.functions.map((fn) => fn.foreignLayers + fn.layers.filter((name) => !isSplit(name)).length),
  );
  const proposed = named(compose(pieces, LAMBDA_LAYERS_PER_FUNCTION - foreign), plan);
  const today = todayOf(plan, pieces);
  const idle = pieces.filter(({ functions }) => functions.length === 0).map(({ name }) => name);
  if (options.json) {
    console.log(JSON.stringify({ today, proposed, idle }));
    return;
  }
  console.log(`Today:\n\n${splitTable(today)}\n\nProposed:\n\n${splitTable(proposed)}\n`);
  console.log(
    functionTable(
      plan.functions.map(({ name }) => name),
      today,
      proposed,
    ),
  );
  if (idle.length > 0) console.log(`\nNo smoke event of any function uses ${idle.join(', ')}.`);
  const saved = mounted(today) - mounted(proposed);
  console.log(
    saved > 0
      ? `\nThe functions would mount ${megabytes(saved)} less together. To take it over, move the requirements between the layers' requirements.txt, and name the layers under Layers of the functions.`
      : '\nToday’s split is as good as it gets.',
  );
}

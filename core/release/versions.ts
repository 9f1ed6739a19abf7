import type { Distribution } from '../build/resolve.ts';
import type { PlannedFunction, PlannedLayer } from './build-plan.ts';

/** Where a function sees one distribution in two versions, and which of them counts there. */

/** A distribution in the version that counts, and the other one that a layer holds. */
export interface Differing {
  name: string;
  version: string;
  layer: string;
  layerVersion: string;
}

type Held = Pick<PlannedLayer, 'name' | 'distributions'>;

/**
 * Layers in the order of Python's path. Lambda unpacks the layers of a function into /opt in the order of its list, so that
 * the last one counts where two bring the same file (AWS Lambda Developer Guide, "Packaging your layer content").
 */
export const onPath = (layers: readonly string[]): string[] => layers.toReversed();

/** What a function finds in its layers, each distribution in the version that counts. @param layers in the function's order */
export const heldBy = (layers: readonly Held[]): Distribution[] => [
  ...new Map(layers.flatMap(({ distributions }) => distributions).map((one) => [one.name, one])).values(),
];

/** What one list of distributions has in another version than a layer. */
const differingFrom = (
  distributions: readonly Pick<Distribution, 'name' | 'version'>[],
  layer: Held,
): Differing[] =>
  layer.distributions.flatMap((held) => {
    const own = distributions.find(({ name }) => name === held.name);
    return own === undefined || own.version === held.version
      ? []
      : [{ name: own.name, version: own.version, layer: layer.name, layerVersion: held.version }];
  });

/** What a function carries though its layers hold another version: its own folder comes first on the path. Pure. */
export const ownVersions = (
  { distributions }: Pick<PlannedFunction, 'distributions'>,
  layers: readonly Held[],
): Differing[] => layers.flatMap((layer) => differingFrom(distributions, layer));

/** What two layers of one function hold in two versions. Pure. @param layers in the function's order */
export const clashes = (layers: readonly Held[]): Differing[] =>
  layers.flatMap((layer, index) =>
    layers.slice(index + 1).flatMap((later) => differingFrom(later.distributions, layer)),
  );

/** The layers of a plan that a function uses, in its order. */
export const layersOf = (
  { layers }: Pick<PlannedFunction, 'layers'>,
  all: readonly PlannedLayer[],
): PlannedLayer[] => layers.flatMap((name) => all.find((layer) => layer.name === name) ?? []);

/** Whether a function sees its layers' distributions in the versions with which each layer is proven. Pure. */
export function agrees(
  fn: Pick<PlannedFunction, 'distributions' | 'layers'>,
  all: readonly PlannedLayer[],
): boolean {
  const layers = layersOf(fn, all);
  return ownVersions(fn, layers).length === 0 && clashes(layers).length === 0;
}

const listed = (names: readonly string[]) => [...new Set(names)].sort().join(', ');

/** What its layers hold in two versions, so that Lambda merges files of both; undefined where there is none. Pure. */
export function whyMerged(layers: readonly Held[]): string | undefined {
  const names = clashes(layers).map(({ name }) => name);
  return names.length === 0 ? undefined : `its layers hold ${listed(names)} in two versions`;
}

import type { BuildPlan } from './build-plan.ts';

/** One published version of a layer. */
export interface LayerVersion {
  version: number;
  /** What DeployLayers wrote: `plimsoll KEY`. */
  description: string;
}

/** How a published version says what it was made of; whatever says something else is not ours. */
export const describeLayer = (key: string): string => `plimsoll ${key}`;

/** Name in the account of a project's layer. */
export const layerName = (stackName: string, layer: string): string => `${stackName}-${layer}`;

/**
 * The versions of one layer that no release needs which is kept: only our own, never one that somebody else has published.
 * Pure.
 * @param kept plans of the releases whose layers must stay
 */
export function outdatedVersions(
  versions: readonly LayerVersion[],
  layer: string,
  kept: readonly Pick<BuildPlan, 'layers'>[],
): number[] {
  const needed = new Set(
    kept.flatMap(({ layers }) =>
      layers.flatMap(({ name, key }) => (name === layer ? [describeLayer(key)] : [])),
    ),
  );
  return versions
    .filter(({ description }) => description.startsWith(describeLayer('')) && !needed.has(description))
    .map(({ version }) => version);
}

/**
 * The versions of one function that go: all but the newest ones, and never one that an alias leads to. A release that is gone
 * back to publishes its version anew. Pure.
 * @param numbers of its published versions
 * @param aliased those that aliases lead to, by weight or in full
 */
export function outdatedFunctionVersions(
  numbers: readonly number[],
  aliased: ReadonlySet<number>,
  keep: number,
): number[] {
  const newest = new Set([...numbers].sort((a, b) => b - a).slice(0, keep));
  return numbers.filter((number) => !newest.has(number) && !aliased.has(number));
}

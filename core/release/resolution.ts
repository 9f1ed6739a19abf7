import {
  closure,
  type Distribution,
  type RequirementSets,
  type resolveSets,
  type Target,
} from '../build/resolve.ts';
import { ResolutionError } from '../errors.ts';

/** Which versions layers and functions get: the same for all where there are such, else each its own, as on Lambda. */

/** Finds the distributions of requirement sets: see resolveSets. */
export type Resolve = typeof resolveSets;

/** The answer, or undefined where the requirements have none together. */
async function ifAgreed(resolving: Promise<Distribution[]>): Promise<Distribution[] | undefined> {
  try {
    return await resolving;
  } catch (error) {
    if (error instanceof ResolutionError) return undefined;
    throw error;
  }
}

const needsOf = (id: string, resolved: readonly Distribution[]) => {
  const names = closure(id, resolved);
  return resolved.filter(({ name }) => names.has(name));
};

/** Sets of functions are named so that none is taken for a layer's. */
const named = (functions: RequirementSets): RequirementSets =>
  Object.fromEntries(Object.entries(functions).map(([id, lines]) => [`function ${id}`, lines]));

/**
 * What each layer needs, itself and through others. First one resolution of all, with what the functions pin; then one of the
 * layers; where these have none together either, one layer after the other, each with the versions of those before it where its
 * own requirements allow them.
 * @param layers requirements by the layer's name
 * @param functions requirements of the functions that use them, by logical id
 * @throws ResolutionError where a layer's requirements have no solution by themselves
 */
export async function resolveLayers(
  layers: RequirementSets,
  functions: RequirementSets,
  target: Target,
  resolve: Resolve,
): Promise<ReadonlyMap<string, Distribution[]>> {
  const ids = Object.keys(layers);
  const isShared = ids.length > 0 && Object.keys(functions).length > 0;
  const all =
    (isShared ? await ifAgreed(resolve({ ...layers, ...named(functions) }, target)) : undefined) ??
    (ids.length === 1 ? await resolve(layers, target) : await ifAgreed(resolve(layers, target)));
  if (all) return new Map(ids.map((id) => [id, needsOf(id, all)]));
  const apart = new Map<string, Distribution[]>();
  for (const [id, lines] of Object.entries(layers)) {
    const before = [...new Map([...apart.values()].flat().map((one) => [one.name, one])).values()];
    apart.set(id, needsOf(id, await resolve({ [id]: lines }, target, [], before)));
  }
  return apart;
}

/**
 * What a function needs, with the versions that its layers hold; where these do not fit its own requirements, with as many of
 * them as do. @param held in the version that counts
 * @throws ResolutionError where the function's requirements have no solution by themselves
 */
export async function resolveBeside(
  set: RequirementSets,
  target: Target,
  held: readonly Distribution[],
  resolve: Resolve,
): Promise<Distribution[]> {
  const fitting = held.length > 0 ? await ifAgreed(resolve(set, target, held)) : undefined;
  return fitting ?? resolve(set, target, [], held);
}

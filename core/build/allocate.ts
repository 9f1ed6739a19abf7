/** Gives each distribution to the lowest layer that needs it, so that no function carries a byte twice. */

export interface AllocationInput {
  /** Ids of the layers, in the template's order, each with the names of all distributions that it needs. */
  layers: readonly { id: string; needs: ReadonlySet<string> }[];
  /** Ids of the layers that each function uses. */
  functions: readonly { layers: readonly string[] }[];
}

export interface AllocatedLayer {
  id: string;
  /** Distributions that this layer carries, sorted. */
  carries: string[];
  /** Layers below that carry something this one needs: they are built first. */
  requires: string[];
  /** 0 for layers that require none, else one more than the highest that they require. */
  wave: number;
}

/**
 * A layer may leave a distribution to another only if every function that uses the one uses the other, too; a layer
 * that no function uses is complete in itself. Layers that more functions use lie lower; ties go by the template's
 * order. So no circle can arise.
 * @returns layers from the lowest to the highest
 */
export function allocate({ layers, functions }: AllocationInput): AllocatedLayer[] {
  const usersOf = (id: string) =>
    new Set(functions.flatMap((fn, index) => (fn.layers.includes(id) ? [index] : [])));
  const ordered = layers
    .map((layer) => ({ ...layer, users: usersOf(layer.id) }))
    .sort((a, b) => b.users.size - a.users.size);
  const result: AllocatedLayer[] = [];
  for (const [index, layer] of ordered.entries()) {
    const below = ordered
      .slice(0, index)
      .filter(({ users }) => layer.users.size > 0 && [...layer.users].every((user) => users.has(user)));
    const carrierOf = (name: string) =>
      result.find(({ id, carries }) => carries.includes(name) && below.some((lower) => lower.id === id));
    const carriers = new Map([...layer.needs].map((name) => [name, carrierOf(name)]));
    const required = [...new Set([...carriers.values()].filter((carrier) => carrier !== undefined))];
    result.push({
      id: layer.id,
      carries: [...carriers]
        .filter(([, carrier]) => carrier === undefined)
        .map(([name]) => name)
        .sort(),
      requires: required.map(({ id }) => id),
      wave: Math.max(-1, ...required.map(({ wave }) => wave)) + 1,
    });
  }
  return result;
}

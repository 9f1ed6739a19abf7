/** One distribution as it would be shipped, and the functions that need it. */
export interface Piece {
  name: string;
  /** Bytes, unzipped and trimmed. */
  bytes: number;
  functions: readonly string[];
}

/** Distributions that travel together. */
export interface ComposedLayer {
  pieces: readonly Piece[];
  bytes: number;
  /** Who uses at least one of them, and so mounts all. */
  functions: readonly string[];
}

/** With so few groups all splits are tried: the Bell number of 9 is 21,147. */
const EXACT = 9;

const bytesOf = (pieces: readonly Piece[]) => pieces.reduce((sum, { bytes }) => sum + bytes, 0);
const functionsOf = (pieces: readonly Piece[]) =>
  [...new Set(pieces.flatMap((piece) => piece.functions))].sort();

function layerOf(pieces: readonly Piece[]): ComposedLayer {
  return {
    pieces: pieces.toSorted((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1)),
    bytes: bytesOf(pieces),
    functions: functionsOf(pieces),
  };
}

/** What all functions together mount, in bytes: each mounts the whole of every layer of which it needs a part. Pure. */
export const mounted = (layers: readonly Pick<ComposedLayer, 'bytes' | 'functions'>[]): number =>
  layers.reduce((sum, { bytes, functions }) => sum + bytes * functions.length, 0);

/** Distributions that the same functions need belong together whatever else is done. */
function groups(pieces: readonly Piece[]): Piece[][] {
  const found = new Map<string, Piece[]>();
  for (const piece of pieces) {
    const key = JSON.stringify(functionsOf([piece]));
    found.set(key, [...(found.get(key) ?? []), piece]);
  }
  return [...found.values()];
}

/** Every way to put groups into at most so many layers. */
function* splits(all: readonly Piece[][], max: number): Generator<Piece[][]> {
  const [first, ...rest] = all;
  if (!first) {
    yield [];
    return;
  }
  for (const split of splits(rest, max)) {
    for (const [index, layer] of split.entries())
      yield split.map((one, at) => (at === index ? [...first, ...layer] : one));
    if (split.length < max) yield [first, ...split];
  }
}

/** Joins the two groups that cost least together until there are few enough. */
function joinGreedily(all: readonly Piece[][], max: number): Piece[][] {
  let left = [...all];
  while (left.length > max) {
    const pairs = left.flatMap((one, index) => left.slice(index + 1).map((other) => [one, other] as const));
    const cost = ([one, other]: readonly [Piece[], Piece[]]) =>
      mounted([layerOf([...one, ...other])]) - mounted([layerOf(one), layerOf(other)]);
    const best = pairs.reduce((a, b) => (cost(b) < cost(a) ? b : a));
    left = [...left.filter((one) => !best.includes(one)), [...best[0], ...best[1]]];
  }
  return left;
}

/**
 * The split of distributions into layers that lets functions mount least: each is in one layer, so nothing is shipped
 * twice. Of equal ones that with fewer layers. What no function needs is in none. Pure.
 * @param max layers; Lambda takes five a function
 */
export function compose(pieces: readonly Piece[], max: number): ComposedLayer[] {
  const all = groups(pieces.filter(({ functions }) => functions.length > 0));
  const candidates = all.length <= EXACT ? [...splits(all, max)] : [joinGreedily(all, max)];
  const composed = candidates.map((split) => split.map(layerOf));
  const better = (one: ComposedLayer[], other: ComposedLayer[]) => {
    const less = mounted(other) - mounted(one);
    return less < 0 || (less === 0 && other.length < one.length) ? other : one;
  };
  const [first = [], ...others] = composed;
  return others
    .reduce(better, first)
    .toSorted((a, b) => b.functions.length - a.functions.length || b.bytes - a.bytes);
}

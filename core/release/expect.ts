import { isObject } from '../project/intrinsics.ts';

/**
 * Where an answer differs from what a smoke test expects. Maps must hold at least the expected keys, lists have the
 * same length, the rest must be equal.
 * @returns undefined where it matches, else the path and both values
 */
export function mismatch(actual: unknown, expected: unknown, path = 'answer'): string | undefined {
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual)) return `${path} is ${show(actual)}, expected a list`;
    if (actual.length !== expected.length)
      return `${path} has ${actual.length} items, expected ${expected.length}`;
    return first(expected.map((item, index) => () => mismatch(actual[index], item, `${path}[${index}]`)));
  }
  if (isObject(expected)) {
    if (!isObject(actual)) return `${path} is ${show(actual)}, expected a map`;
    return first(
      Object.entries(expected).map(
        ([key, value]) =>
          () =>
            Object.hasOwn(actual, key)
              ? mismatch(actual[key], value, `${path}.${key}`)
              : `${path}.${key} is missing, expected ${show(value)}`,
      ),
    );
  }
  return Object.is(actual, expected) ? undefined : `${path} is ${show(actual)}, expected ${show(expected)}`;
}

function first(checks: readonly (() => string | undefined)[]): string | undefined {
  for (const check of checks) {
    const problem = check();
    if (problem !== undefined) return problem;
  }
  return undefined;
}

const show = (value: unknown): string => (JSON.stringify(value) ?? 'undefined').slice(0, 200);

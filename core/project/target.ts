import type { Target } from '../build/resolve.ts';
import type { Architecture, TemplateFunction, TemplateLayer } from './template.ts';

/** What each artifact of a project is built for. Functions say it themselves; a layer follows from those that use it. */

/** Where no function says anything. */
const NEWEST: Target = { python: '3.13', architecture: 'x86_64' };

/** `3.11` of `python3.11`; undefined of any other runtime. */
const pythonOf = (runtime: string): string | undefined => /^python(3\.\d+)$/.exec(runtime)?.[1];

/** What a function of ours runs on. Pure. */
export const targetOf = ({ runtime, architecture }: TemplateFunction): Target => ({
  python: pythonOf(runtime) ?? NEWEST.python,
  architecture,
});

/** The values, the most frequent first, of equally frequent ones the first named. */
function byFrequency<T>(values: readonly T[]): T[] {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]).map(([value]) => value);
}

/** What most functions run on: for what belongs to none of them. Pure. @param functions those that we build */
export function mainTarget(functions: readonly TemplateFunction[]): Target {
  const targets = functions.map(targetOf);
  return {
    python: byFrequency(targets.map(({ python }) => python))[0] ?? NEWEST.python,
    architecture: byFrequency(targets.map(({ architecture }) => architecture))[0] ?? NEWEST.architecture,
  };
}

/** What a layer is built for, and all that its functions run on. */
export interface LayerTarget {
  target: Target;
  /** Python versions of the functions that use it, its own included: with more than one, its sources stay. */
  pythons: string[];
  /** Processors of these functions, its own included. */
  processors: Architecture[];
}

const isArchitecture = (name: string): name is Architecture => name === 'x86_64' || name === 'arm64';

/**
 * A layer is built for the functions that use it; where these differ, for what the template says that it is built for, else for
 * what most of them run on. Pure.
 * @param users the functions that we build and that use it
 */
export function targetOfLayer(
  { runtimes, architectures, build }: TemplateLayer,
  users: readonly TemplateFunction[],
  main: Target,
): LayerTarget {
  const pick = <T>(named: readonly T[], used: readonly T[], fallback: T): T =>
    used.length === 0
      ? (named[0] ?? fallback)
      : (named.find((one) => used.includes(one)) ?? used[0] ?? fallback);
  const usedPythons = byFrequency(users.map((fn) => targetOf(fn).python));
  const usedArchitectures = byFrequency(users.map((fn) => fn.architecture));
  const builtFor = build.python === undefined ? [] : [build.python];
  const declared = runtimes.flatMap((runtime) => pythonOf(runtime) ?? []);
  const python = pick([...builtFor, ...declared], usedPythons, main.python);
  const builtOn = build.architecture === undefined ? [] : [build.architecture];
  const named = [...builtOn, ...architectures.filter(isArchitecture)];
  const architecture = pick(named, usedArchitectures, main.architecture);
  return {
    target: { python, architecture },
    pythons: [...new Set([python, ...usedPythons])],
    processors: [...new Set([architecture, ...usedArchitectures])],
  };
}

/** Which Python version each artifact that we build is for, by logical id. Pure. */
export function pythonUsers({
  functions,
  layers,
}: {
  functions: readonly TemplateFunction[];
  layers: readonly (TemplateLayer & LayerTarget)[];
}): { logicalId: string; python: string }[] {
  const isOurs = ({ foreign }: { foreign?: unknown }) => foreign === undefined;
  return [
    ...functions.filter(isOurs).map((fn) => ({ logicalId: fn.logicalId, python: targetOf(fn).python })),
    ...layers.filter(isOurs).map(({ logicalId, target }) => ({ logicalId, python: target.python })),
  ];
}

/** The Python versions of a project, each once. Pure. */
export const pythonsOf = (project: Parameters<typeof pythonUsers>[0]): string[] => [
  ...new Set(pythonUsers(project).map(({ python }) => python)),
];

import type { LazyFiles } from './lazy.ts';
import { addOnce, lazyOf, mayChange } from './lazy.ts';
import { keyOf, type Located, type LocatedTrace } from './locate.ts';

/** What each module imports while it is loaded, by its name. */
type Graph = Map<string, { line: number; to: readonly string[]; new: readonly string[] }[]>;

const withParents = (name: string): string[] =>
  name.split('.').map((_, index, parts) => parts.slice(0, index + 1).join('.'));

function graphOf(edges: LocatedTrace['edges']): Graph {
  const graph: Graph = new Map();
  for (const { module, ...edge } of edges) {
    const known = graph.get(module) ?? [];
    known.push(edge);
    graph.set(module, known);
  }
  return graph;
}

type EdgesOf = (module: string) => readonly string[];

/** Calls a function once for each argument. */
function once<T>(make: (name: string) => T): (name: string) => T {
  const known = new Map<string, T>();
  return (name) => {
    const found = known.get(name) ?? make(name);
    known.set(name, found);
    return found;
  };
}

/** All that loading some modules loads, packages that they are in included. */
function closure(starts: readonly string[], edgesOf: EdgesOf): Set<string> {
  const reached = new Set(starts.flatMap(withParents));
  for (const name of reached) for (const next of edgesOf(name)) reached.add(next);
  return reached;
}

/**
 * Packages have to answer for modules in them that are not loaded any more, since the imports that loaded them are deferred:
 * whatever of these would have loaded them, in whatever order a program imports. Adds the answers to the deferred files. Pure.
 * @param before traces of the workloads before anything was deferred
 */
export function addAnswers(deferred: LazyFiles, before: readonly LocatedTrace[]): LazyFiles {
  const found: LazyFiles = new Map(
    [...deferred].map(([key, { file, lazy }]) => [
      key,
      { file, lazy: { ...lazy, seen: [], hidden: [], outside: {} } },
    ]),
  );
  for (const trace of before) addAnswersOf(trace, deferred, found);
  for (const { lazy } of found.values()) {
    lazy.seen.sort();
    lazy.hidden = lazy.hidden.filter((name) => !lazy.seen.includes(name)).sort();
    lazy.outside = Object.fromEntries(Object.entries(lazy.outside).sort(([a], [b]) => (a < b ? -1 : 1)));
  }
  return found;
}

/** What loads what in a trace, as it is and with imports deferred. */
function loads({ modules, edges }: LocatedTrace, deferred: LazyFiles) {
  const graph = graphOf(edges);
  const linesOf = (module: string) => {
    const file = modules.get(module);
    return (file && deferred.get(keyOf(file))?.lazy.lines) ?? [];
  };
  const withAll = (names: readonly string[]) => [...new Set(names.flatMap(withParents))];
  const all = once((module) =>
    withAll((graph.get(module) ?? []).flatMap((edge) => [...edge.to, ...edge.new])),
  );
  // What is new at an import that stays may have been loaded by one that is deferred.
  const left = once((module) => {
    const lines = linesOf(module);
    return withAll((graph.get(module) ?? []).flatMap(({ line, to }) => (lines.includes(line) ? [] : to)));
  });
  /** What the deferred imports of a module load, by line. */
  const later = (module: string): [line: number, names: Set<string>][] =>
    linesOf(module).map((line) => {
      const edge = (graph.get(module) ?? []).filter((one) => one.line === line);
      return [
        line,
        closure(
          edge.flatMap((one) => [...one.to, ...one.new]),
          all,
        ),
      ];
    });
  return {
    eagerly: once((module) => closure([module], all)),
    still: once((module) => closure([module], left)),
    later,
  };
}

function addAnswersOf(trace: LocatedTrace, deferred: LazyFiles, found: LazyFiles): void {
  const { modules } = trace;
  const { eagerly, still, later } = loads(trace, deferred);
  const ours = new Set([...modules.keys()].map((name) => name.split('.')[0]));
  for (const [module, file] of modules)
    for (const name of new Set(later(module).flatMap(([, names]) => [...names]))) {
      const dot = name.lastIndexOf('.');
      const [parent, own] = [name.slice(0, dot), name.slice(dot + 1)];
      if (dot < 0 || still(parent).has(name)) continue;
      const owner = modules.get(parent);
      if (owner && isPackage(owner)) {
        const { seen, hidden } = lazyOf(found, owner);
        addOnce(eagerly(parent).has(name) ? seen : hidden, own);
      } else if (!ours.has(name.split('.')[0]) && !still(module).has(name)) {
        const { outside } = lazyOf(found, file);
        outside[parent] = [...new Set([...(outside[parent] ?? []), own])].sort();
      }
    }
}

/**
 * Leaves out imports that bring a package a module in it while it is loaded. Pure.
 * @param missed names of modules, by the key of their package's file
 */
export function withoutMissed(
  deferred: LazyFiles,
  before: readonly LocatedTrace[],
  missed: ReadonlyMap<string, readonly string[]>,
): LazyFiles {
  const kept: LazyFiles = new Map(
    [...deferred].map(([key, { file, lazy }]) => [key, { file, lazy: { ...lazy } }]),
  );
  for (const trace of before) {
    const { eagerly, later } = loads(trace, deferred);
    for (const [parent, owner] of trace.modules) {
      const wanted = (missed.get(keyOf(owner)) ?? []).map((name) => `${parent}.${name}`);
      if (wanted.length === 0) continue;
      for (const module of eagerly(parent)) {
        const file = trace.modules.get(module);
        const one = file && kept.get(keyOf(file));
        if (!one) continue;
        const needed = later(module).flatMap(([line, names]) =>
          wanted.some((name) => names.has(name)) ? [line] : [],
        );
        one.lazy.lines = one.lazy.lines.filter((line) => !needed.includes(line));
      }
    }
  }
  return kept;
}

const isPackage = (file: Located) => mayChange(file) && file.path.endsWith('__init__.py');

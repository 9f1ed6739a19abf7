import type { Lazy } from '../build/bytecode.ts';
import { keyOf, type Located, type LocatedTrace } from './locate.ts';

/** What a file loads only when it is used, by the file's key. */
export type LazyFiles = Map<string, { file: Located; lazy: Lazy }>;

/** What is known of a file; nothing yet where it is new. */
export function lazyOf(files: LazyFiles, file: Located): Lazy {
  const known = files.get(keyOf(file)) ?? { file, lazy: { lines: [], seen: [], hidden: [], outside: {} } };
  files.set(keyOf(file), known);
  return known.lazy;
}

export const addOnce = <T>(list: T[], item: T): void => {
  if (!list.includes(item)) list.push(item);
};

/** Only code of third parties is changed, and only in our copy of it. */
export const mayChange = ({ unit, path }: Located) => !unit.own.has(path);

/** Import statements of third-party modules that loaded something: whatever its time, so that decisions repeat. Pure. */
export function candidates(traces: readonly LocatedTrace[]): LazyFiles {
  const found: LazyFiles = new Map();
  for (const { file, line, function: where } of traces.flatMap(({ imported }) => imported))
    if (where === '<module>' && mayChange(file)) addOnce(lazyOf(found, file).lines, line);
  return found;
}

/**
 * Of the deferred imports those that help: in some workload that runs their file, something that they loaded is not loaded
 * any more. Pure.
 * @param before traces of the workloads before anything was deferred
 * @param after of the same workloads with all of `deferred` deferred
 */
export function worthwhile(
  deferred: LazyFiles,
  before: readonly LocatedTrace[],
  after: readonly LocatedTrace[],
): LazyFiles {
  const found: LazyFiles = new Map();
  const pairs = before.flatMap((trace, index) => {
    const then = after[index];
    return then ? [{ ...trace, now: then.modules }] : [];
  });
  for (const { imported, modules, now } of pairs) {
    const running = new Set([...now.values()].map(keyOf));
    const isGone = (module: string) => modules.has(module) && !now.has(module);
    for (const { file, line, modules: loaded } of imported) {
      const isDeferred = deferred.get(keyOf(file))?.lazy.lines.includes(line);
      if (isDeferred && running.has(keyOf(file)) && loaded.some(isGone))
        addOnce(lazyOf(found, file).lines, line);
    }
  }
  for (const { lazy } of found.values()) lazy.lines.sort((a, b) => a - b);
  return found;
}

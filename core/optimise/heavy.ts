import type { HeavyImport } from './decisions.ts';
import { keyOf, type Located, type LocatedTrace } from './locate.ts';

/** Imports that take less are not worth a human's look, in milliseconds. */
const MIN_MS = 5;

/**
 * The imports that cost much and load only modules of which no Python code ran in an event: the outermost of each, the
 * slowest first. Pure.
 * @param name of the function whose workload was traced
 * @param bytesOf bytes of a file
 */
export function heavyImports(
  name: string,
  { modules, called, imported }: LocatedTrace,
  bytesOf: (file: Located) => number,
): HeavyImport[] {
  const filesOf = (names: readonly string[]) => names.flatMap((one) => modules.get(one) ?? []);
  const found: HeavyImport[] = [];
  const covered = new Set<string>();
  for (const { file, line, ms, modules: names } of imported.toSorted((a, b) => b.ms - a.ms)) {
    const files = filesOf(names);
    const isIdle = files.length > 0 && files.every((one) => !called.has(keyOf(one)));
    if (ms < MIN_MS || !isIdle || names.every((one) => covered.has(one))) continue;
    for (const one of names) covered.add(one);
    found.push({
      function: name,
      artifact: file.unit.name,
      file: file.path,
      line,
      modules: names.filter((one) => modules.has(one)),
      ms,
      bytes: files.reduce((sum, one) => sum + bytesOf(one), 0),
      deferred: 0,
    });
  }
  return found;
}

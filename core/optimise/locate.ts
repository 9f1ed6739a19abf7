import { relative } from 'node:path';
import { sourceOf } from '../build/bytecode.ts';
import { runtimeFolder } from './bytecode.ts';
import type { Unit } from './unit.ts';
import type { ImportedAt, Trace } from './workload.ts';

/** A file of an artifact, with the name of its source. */
export interface Located {
  unit: Unit;
  /** Relative to the unit's libraries. */
  path: string;
}

/** A trace in which files are those of artifacts; what belongs to none, the standard library's, is left out. */
export interface LocatedTrace {
  modules: ReadonlyMap<string, Located>;
  /** Keys of the files whose code ran in an event. */
  called: ReadonlySet<string>;
  imported: readonly (Omit<ImportedAt, 'file'> & { file: Located })[];
  edges: Trace['edges'];
}

export const keyOf = ({ unit, path }: Located): string => `${unit.kind}/${unit.name}:${path}`;

/**
 * Finds the files of a trace in the units that its workload sees. Bytecode names its source's place in Lambda, modules
 * name the place on this machine.
 * @param has whether a unit holds a file, relative to its libraries
 */
export function locateTrace(
  trace: Trace,
  units: readonly Unit[],
  has: (unit: Unit, path: string) => boolean,
): LocatedTrace {
  const locate = (path: string): Located | undefined => {
    for (const unit of units) {
      for (const folder of [unit.libraries, runtimeFolder(unit.kind)]) {
        const own = sourceOf(relative(folder, path));
        if (!own.startsWith('..') && has(unit, own)) return { unit, path: own };
      }
    }
    return undefined;
  };
  const located = <T>(path: string, make: (file: Located) => T): T[] => {
    const file = locate(path);
    return file ? [make(file)] : [];
  };
  return {
    modules: new Map(
      Object.entries(trace.modules).flatMap(([name, path]) => located(path, (file) => [name, file] as const)),
    ),
    called: new Set(trace.called.flatMap((path) => located(path, keyOf))),
    imported: trace.imported.flatMap((one) => located(one.file, (file) => ({ ...one, file }))),
    edges: trace.edges,
  };
}

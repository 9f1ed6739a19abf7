import { join } from 'node:path';
import { type Compiled, compileFiles, type Lazy, sourceless } from '../build/bytecode.ts';
import type { TreeFile } from '../build/tree.ts';
import { ImportCheckError } from '../errors.ts';
import { HOOK, isHooked } from './finder.ts';
import { type ImportsOf, moduleName } from './keep.ts';
import type { Change } from './stash.ts';
import { ownersOf, type Unit } from './unit.ts';

interface Compilation {
  /** Sources of third-party code, replaced by their bytecode. */
  changes: Change[];
  /** What each module of the tree imports, by its name; nobody can see what compiled ones import. */
  imports: Map<string, ImportsOf>;
}

/** Folder of a unit's libraries at run time. */
export const runtimeFolder = (kind: Unit['kind']): string => (kind === 'layer' ? '/opt/python' : '/var/task');

const reasonOf = (docstrings: boolean) =>
  docstrings
    ? 'Sources, which Python does not read where there is bytecode.'
    : 'Sources and docstrings: Python does not read the ones where there is bytecode, and nobody the others in Lambda.';

const jobOf = (unit: Unit, out: string) => ({
  interpreter: unit.interpreter,
  tree: unit.libraries,
  out,
  prefix: runtimeFolder(unit.kind),
  hook: HOOK,
  columns: false,
});

/** The module of a handler has to compile wherever it runs; other files may be templates. @throws ImportCheckError */
function refuseBroken(unit: Unit, module: string, compiled: ReadonlyMap<string, Compiled>): void {
  const base = module.replaceAll('.', '/');
  for (const path of [`${base}.py`, `${base}/__init__.py`]) {
    const result = compiled.get(path);
    if (result && 'skipped' in result)
      throw new ImportCheckError(
        `${unit.kind} ${unit.name}: ${path} does not compile: ${result.skipped}. Lambda could not start the function either. Correct the file.`,
      );
  }
}

/** Compiles all Python files of a tree and reads what they import, in one go. The tree stays as it is. @throws ImportCheckError */
export async function compileUnit(
  unit: Unit,
  files: readonly TreeFile[],
  docstrings: boolean,
  out: string,
): Promise<Compilation> {
  const sources = files.filter(({ path }) => path.endsWith('.py'));
  const isOwn = (path: string) => unit.own.has(path);
  const compiled = await compileFiles({
    ...jobOf(unit, out),
    imports: true,
    files: sources.map(({ path }) => {
      return { path, to: sourceless(path), docstrings, hook: isHooked(path) && !isOwn(path) };
    }),
  });
  for (const module of unit.modules) refuseBroken(unit, module, compiled);
  const owners = ownersOf(unit);
  const reason = reasonOf(docstrings);
  const changes = sources.flatMap(({ path, bytes }): Change[] => {
    const result = compiled.get(path);
    if (!result || 'skipped' in result || isOwn(path)) return [];
    const instead = { from: join(out, sourceless(path)), to: sourceless(path) };
    const distribution = owners.get(path) ?? unit.name;
    return [{ root: unit.libraries, path, instead, saved: bytes - result.bytes, distribution, reason }];
  });
  return { changes, imports: importsByModule(files, compiled) };
}

/**
 * Compiles files whose sources are gone from the tree anew, so that they load some things only when these are used.
 * @param sources where the sources lie, by path
 * @returns what would change, and the lines that are deferred, by path
 */
export async function compileLazily(
  unit: Unit,
  lazy: ReadonlyMap<string, Lazy>,
  sources: ReadonlyMap<string, string>,
  docstrings: boolean,
  out: string,
): Promise<{ change: Change; lazy: Lazy; looks: boolean }[]> {
  const files = [...lazy].flatMap(([path, one]) => {
    const source = sources.get(path);
    const to = sourceless(path);
    return source === undefined ? [] : [{ path, to, docstrings, hook: isHooked(path), source, lazy: one }];
  });
  const compiled = await compileFiles({
    ...jobOf(unit, out),
    imports: false,
    deferredOnly: true,
    files,
  });
  const owners = ownersOf(unit);
  return files.flatMap(({ path, to, lazy: wanted }) => {
    const result = compiled.get(path);
    if (!result || 'skipped' in result) return [];
    const done = { ...wanted, lines: result.deferred };
    if (done.lines.length + done.seen.length + done.hidden.length === 0) return [];
    const change: Change = {
      root: unit.libraries,
      path: to,
      instead: { from: join(out, to), to },
      saved: 0,
      distribution: owners.get(path) ?? unit.name,
      reason: 'Imports that no workload needs at once are made when they are used.',
    };
    return [{ change, lazy: done, looks: result.looks }];
  });
}

function importsByModule(
  files: readonly TreeFile[],
  compiled: ReadonlyMap<string, Compiled>,
): Map<string, ImportsOf> {
  return new Map(
    files.flatMap(({ path }) => {
      const name = moduleName(path);
      if (name === undefined) return [];
      const found = compiled.get(path);
      return [[name, found && 'now' in found ? found : { now: [], later: [] }] as const];
    }),
  );
}

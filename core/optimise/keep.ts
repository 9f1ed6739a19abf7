import picomatch from 'picomatch';
import type { ServicesInUse } from '../build/rules.ts';
import kept from './kept.json' with { type: 'json' };

/** What a module imports: when it is loaded, and later, inside functions. */
export interface ImportsOf {
  now: readonly string[];
  later: readonly string[];
}

export interface KeepInput {
  /** All files of one tree, relative to it. */
  files: readonly string[];
  /** Those that a workload opened, mapped or loaded as a module. */
  used: ReadonlySet<string>;
  /** Imports of every Python module of all trees that the functions see, by module name. */
  imports: ReadonlyMap<string, ImportsOf>;
  /** Names of the modules that a workload loaded, in whatever tree. */
  loaded: ReadonlySet<string>;
  services: ServicesInUse;
  /** Modules that the project wants to keep, with all below them. */
  keep?: readonly string[];
}

const MODULE = /^(.+?)(?:\/__init__)?\.(?:py|(?:cpython-[\w-]+|abi3)\.so|so)$/;

/** The name under which a file of a tree is imported, or undefined for one that is no module. */
export function moduleName(path: string): string | undefined {
  const name = MODULE.exec(path)?.[1];
  return name !== undefined && /^[\w/]+$/.test(name) ? name.replaceAll('/', '.') : undefined;
}

/**
 * Modules that code which ran can still reach: what the loaded modules import later, inside functions, and all that is
 * loaded with it. What those would import later in turn is not followed: the fetch at run time is for that.
 */
export function reachableModules(
  loaded: ReadonlySet<string>,
  imports: ReadonlyMap<string, ImportsOf>,
): Set<string> {
  const reached = new Set<string>();
  const withParents = (name: string) =>
    name.split('.').map((_, index, parts) => parts.slice(0, index + 1).join('.'));
  const visit = (name: string): void => {
    for (const one of withParents(name)) {
      if (reached.has(one) || !imports.has(one)) continue;
      reached.add(one);
      for (const next of imports.get(one)?.now ?? []) visit(next);
    }
  };
  for (const name of loaded) for (const later of imports.get(name)?.later ?? []) visit(later);
  return reached;
}

/** Files that stay whether a workload uses them or not, each for a reason. */
export const SAFETY_SET = kept;

const always = SAFETY_SET.map(({ files }) => picomatch(files, { dot: true }));

/** Models of services that the code names stay, used or not: their clients may be made at any time. */
function isServiceInUse(path: string, services: ServicesInUse): boolean {
  const [, folder, service] = /^(botocore|boto3)\/data\/([^/]+)\//.exec(path) ?? [];
  return folder !== undefined && service !== undefined && (services === 'all' || services.includes(service));
}

/** The files that traced runs did not need and that nothing in the safety set asks for. Pure. */
export function unusedFiles({ files, used, imports, loaded, services, keep = [] }: KeepInput): string[] {
  const folders = keep.map((name) => name.replaceAll('.', '/'));
  const isWanted = (path: string) =>
    folders.some(
      (folder) =>
        path.startsWith(`${folder}/`) ||
        path.startsWith(`${folder}.`) ||
        (folder.startsWith(path.replace(/__init__\.py$/, '')) && path.endsWith('/__init__.py')),
    );
  const reachable = reachableModules(loaded, imports);
  return files.filter((path) => {
    if (
      used.has(path) ||
      isWanted(path) ||
      isServiceInUse(path, services) ||
      always.some((matches) => matches(path))
    )
      return false;
    const name = moduleName(path);
    return name === undefined || !(reachable.has(name) || loaded.has(name));
  });
}

import type { Installed } from '../build/install.ts';
import type { ServicesInUse } from '../build/rules.ts';

/** One artifact's tree while it is optimised. */
export interface Unit {
  kind: 'layer' | 'function';
  name: string;
  /** Folder of the distributions, on the path at run time. */
  libraries: string;
  installed: readonly Installed[];
  /** Bytes of each file as it was installed, before anything was changed. */
  installedSizes: ReadonlyMap<string, number>;
  /** Files of the project's own, relative to `libraries`: they always stay. */
  own: ReadonlySet<string>;
  services: ServicesInUse;
  /** Names of the layers that are on the path wherever this is. */
  beneath: readonly string[];
  /** Modules beyond the distributions' own that must import. */
  modules: readonly string[];
  /** Of the Python version that it is built for. */
  interpreter: string;
  /** Whether third-party packages in it keep their sources. */
  keepsSources: boolean;
  /** Folders that are last on the path of whatever runs it: the runtime's own packages. */
  runtime: readonly string[];
  /** Why it cannot be run here; undefined where it can. */
  idle?: string | undefined;
}

/** A removed file that a function may fetch again. */
export interface FetchableFile {
  /** Relative to the libraries, as it would be shipped. */
  path: string;
  /** Where it lies. */
  from: string;
}

/** Name of the distribution that each file belongs to. */
export const ownersOf = ({ installed }: Pick<Unit, 'installed'>): Map<string, string> =>
  new Map(installed.flatMap(({ name, files }) => files.map((path) => [path, name] as const)));

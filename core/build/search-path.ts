import { existsSync } from 'node:fs';
import { isAbsolute, join, posix } from 'node:path';

/** Folders in which Python looks for modules in Lambda (AWS Lambda Developer Guide, "Search path for runtime dependencies"). */

/**
 * The folders of a layer, in their order.
 * @param libraries its `python` folder
 * @param python minor version, such as 3.11
 */
export const foldersOfLayer = (libraries: string, python: string): string[] => {
  const site = join(libraries, 'lib', `python${python}`, 'site-packages');
  return existsSync(site) ? [site, libraries] : [libraries];
};

/**
 * The folders that a function's PYTHONPATH names, here: relative ones are from its code.
 * @param code folder of its code, /var/task there
 * @param layers `python` folders of its layers, /opt/python there
 */
function foldersOfPythonPath(
  { PYTHONPATH = '' }: Readonly<Record<string, string>>,
  code: string,
  layers: readonly string[],
): string[] {
  return PYTHONPATH.split(':')
    .flatMap((entry) => {
      const path = posix.normalize(entry).replace(/\/$/, '');
      if (entry === '') return [];
      if (!isAbsolute(path)) return [join(code, path)];
      const [, inCode] = /^\/var\/task(?:\/(.*))?$/.exec(path) ?? [];
      if (path.startsWith('/var/task'))
        return inCode === undefined && path !== '/var/task' ? [] : [join(code, inCode ?? '')];
      const [, inLayers] = /^\/opt\/python(?:\/(.*))?$/.exec(path) ?? [];
      return path.startsWith('/opt/python') ? layers.map((layer) => join(layer, inLayers ?? '')) : [];
    })
    .filter((path) => existsSync(path));
}

/** What a function's code is run with. */
interface Run {
  environment: Readonly<Record<string, string>>;
  /** Minor version, such as 3.11. */
  python: string;
}

/**
 * All folders of a function, in their order.
 * @param code folder of its code
 * @param layers `python` folders of its layers, in the order of the path: see onPath
 * @param runtime folders of the runtime's own packages, which come last
 */
export const searchPath = (
  code: string,
  layers: readonly string[],
  { environment, python }: Run,
  runtime: readonly string[],
): string[] => [
  code,
  ...layers.flatMap((layer) => foldersOfLayer(layer, python)),
  ...foldersOfPythonPath(environment, code, layers),
  ...runtime,
];

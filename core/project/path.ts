import { isAbsolute, join, normalize, posix, sep } from 'node:path';

/**
 * Path in the project of a file or folder that one of its files names, from that file's own folder; undefined where it is
 * outside. Pure. @param file path in the project
 */
export function pathInProject(file: string, named: string): string | undefined {
  const path = normalize(join(posix.dirname(file), named)).replace(/[/\\]$/, '');
  return isAbsolute(named) || path.split(sep).includes('..') ? undefined : path;
}

import { readdir } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { ifThere, parseJson, readProjectFile, refuseLinkOutside } from '../project/files.ts';
import type { MadeEvent } from './from-template.ts';

/** The folder in which `sam init` puts events for `sam local invoke`. */
const FOLDER = 'events';
const MAX_BYTES = 200_000;

const plain = (name: string) =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '')
    .replace(/(function|handler|event|lambda)/g, '');

/**
 * Events that a project has for itself, by the logical id of the function that they are for: of one with one function all of
 * them, else those whose file is named after it.
 * @param root folder of the project
 * @param home folder of its template, a path in the project
 * @throws ProjectError naming a file that is no JSON
 */
export async function ownEvents(
  root: string,
  home: string,
  functions: readonly string[],
): Promise<Map<string, MadeEvent[]>> {
  const folder = posix.join(home, FOLDER);
  await refuseLinkOutside(root, folder);
  const names = ((await ifThere(readdir(join(root, folder)))) ?? [])
    .filter((name) => name.endsWith('.json'))
    .sort();
  const found = new Map<string, MadeEvent[]>();
  for (const name of names) {
    const file = posix.join(folder, name);
    const stem = plain(name.replace(/\.json$/, ''));
    const [only] = functions;
    const id =
      functions.length === 1
        ? only
        : functions.find((one) => stem !== '' && (plain(one) === stem || stem.startsWith(plain(one))));
    const text = id === undefined ? undefined : await readProjectFile(root, file, MAX_BYTES);
    if (id === undefined || text === undefined) continue;
    const made = { name: name.replace(/\.json$/, ''), event: parseJson(text, file), from: file };
    found.set(id, [...(found.get(id) ?? []), made]);
  }
  return found;
}

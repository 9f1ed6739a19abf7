import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Files outside this room that the stack is made of. */
export const stateMachineFile = (name: string): string => join(root, 'state-machines', `${name}.asl.json`);
export const buildspecFile = (name: string): string => join(root, 'buildspecs', `${name}.yml`);
export const cliBundle = join(root, 'dist', 'cli');

/** Folder of a bundled handler. @throws Error when it has not been bundled */
export function handlerBundle(name: string): string {
  const folder = join(root, 'dist', 'handlers', name);
  if (!existsSync(folder)) throw new Error(`${folder} is not there; run: node scripts/setup.mjs`);
  return folder;
}

/** Names of all handlers, by their files. */
export const handlerFiles = (): string[] =>
  readdirSync(join(root, 'handlers'))
    .filter((name) => name.endsWith('.ts'))
    .map((name) => name.replace(/\.ts$/, ''));

export const readText = (path: string): string => readFileSync(path, 'utf8');

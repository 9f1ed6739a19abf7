import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { withoutShims } from './pyenv.ts';

/** Whether the machine has a program that a shell would find. */
export const isOnPath = (name: string): boolean =>
  withoutShims(process.env['PATH'] ?? '')
    .split(delimiter)
    .some((folder) => {
      try {
        accessSync(join(folder, name), constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });

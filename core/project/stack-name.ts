import { basename } from 'node:path';

/** A stack name made of a folder's: what CloudFormation does not take becomes a hyphen. */
export function nameOfFolder(root: string): string {
  return basename(root)
    .replaceAll(/[^A-Za-z0-9]+/g, '-')
    .replace(/^[^A-Za-z]+/, '')
    .replace(/-+$/, '')
    .slice(0, 128);
}

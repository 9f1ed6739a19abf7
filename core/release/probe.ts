import { createHash } from 'node:crypto';
import type { Release } from './release.ts';

/** File that every function carries, so that a probe can import the function's own modules inside Lambda. */
export const PROBE_FILE = 'plimsoll_probe.py';
/** What a probe names as its Handler. */
export const PROBE_HANDLER = 'plimsoll_probe.handler';

/** All temporary functions are named so; the pipeline's roles may create and delete functions of these names only. */
export const PROBE_PREFIX = 'plimsoll-probe-';
export const TWIN_PREFIX = 'plimsoll-twin-';

/** Name of a temporary function that proves one function of a release: the same for each retry, 64 characters at most. */
export function temporaryName(prefix: string, { id }: Pick<Release, 'id'>, functionName: string): string {
  return `${prefix}${createHash('sha256').update(`${id}/${functionName}`).digest('hex').slice(0, 24)}`;
}

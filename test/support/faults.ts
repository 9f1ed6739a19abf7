import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { inject } from 'vitest';

/** What AWS answers with an error: the first so many calls of each caller and action. */
export interface Fault {
  /** Part of the caller's ARN: `Plimsoll-Handlers`, or more of it. */
  principal: string;
  /** `service:Action`, or `*`. */
  action: string;
  error: string;
  /** HTTP status. */
  status: number;
  times: number;
  /** What AWS says, where it matters: of codebuild:StartBuild. */
  message?: string;
}

export const THROTTLE = { error: 'ThrottlingException', status: 429 };
export const UNAVAILABLE = { error: 'ServiceUnavailable', status: 503 };
export const EXPIRED = { error: 'ExpiredTokenException', status: 403 };

const file = inject('faults');

/** Does something while AWS answers some calls with an error. @returns what it came to, and the calls: `caller action error` */
export async function withFaults<T>(
  faults: readonly Fault[],
  act: () => Promise<T>,
): Promise<{ result: T; answered: string[] }> {
  rmSync(`${file}.log`, { force: true });
  writeFileSync(file, JSON.stringify(faults));
  try {
    const result = await act();
    const log = existsSync(`${file}.log`) ? readFileSync(`${file}.log`, 'utf8') : '';
    return { result, answered: log.split('\n').filter((line) => line !== '') };
  } finally {
    rmSync(file, { force: true });
  }
}

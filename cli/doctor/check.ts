import { messageOf } from '../../core/errors.ts';

/**
 * - `ok`, `failed`: looked at.
 * - `warning`: works, but slower or for fewer functions than usual.
 * - `unknown`: could not be looked at, `found` says why.
 */
export type Verdict = 'ok' | 'warning' | 'failed' | 'unknown';

/** One line of the doctor's table. */
export interface Finding {
  /** What was looked at. */
  what: string;
  verdict: Verdict;
  /** What is there, with its version or figure. */
  found: string;
  /** What to do, an imperative sentence; every finding that failed has one. */
  remedy?: string;
}

/** One thing that the doctor looks at: one file or one function each. */
export interface Check {
  what: string;
  /** Whatever it throws becomes a finding that could not be looked at. */
  look(): Promise<Finding[]>;
}

/** Looks at everything side by side; the findings keep the order of the checks. */
export async function findings(checks: readonly Check[]): Promise<Finding[]> {
  const found = await Promise.all(
    checks.map(({ what, look }) =>
      look().catch((error: unknown): Finding[] => [{ what, verdict: 'unknown', found: reasonOf(error) }]),
    ),
  );
  return found.flat();
}

/** Why AWS did not answer, in one line. */
function reasonOf(error: unknown): string {
  const line = messageOf(error).split('\n')[0] ?? '';
  const name = error instanceof Error ? error.name : '';
  return /AccessDenied|UnauthorizedOperation|NotAuthorized/.test(name)
    ? `not allowed to look: ${line}`
    : `cannot look: ${line || name}`;
}

/** 0 all fine, 1 a check failed, 2 the project cannot be read. */
export function exitCodeOfFindings(machine: readonly Finding[], project: readonly Finding[]): 0 | 1 | 2 {
  const failed = (list: readonly Finding[]) => list.some(({ verdict }) => verdict === 'failed');
  if (failed(project)) return 2;
  return failed(machine) ? 1 : 0;
}

import { setTimeout as sleep } from 'node:timers/promises';
import { StackBusyError } from '../../core/errors.ts';

export interface Patience {
  /** Between two looks, in ms. @default 1000 */
  intervalMs?: number;
  /** In all, in ms; then the state machine waits and asks again. @default 40,000 */
  totalMs?: number;
}

/**
 * Looks until there is an answer.
 * @throws StackBusyError naming what is waited for, so that the state machine's Retry goes on
 */
export async function poll<T>(
  what: string,
  look: () => Promise<T | undefined>,
  patience: Patience = {},
): Promise<T> {
  const { intervalMs = 1000, totalMs = 40_000 } = patience;
  const end = Date.now() + totalMs;
  for (;;) {
    const answer = await look();
    if (answer !== undefined) return answer;
    if (Date.now() + intervalMs > end) throw new StackBusyError(`${what} is still at work`);
    await sleep(intervalMs);
  }
}

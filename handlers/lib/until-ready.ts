import { setTimeout as sleep } from 'node:timers/promises';
import type { Patience } from './poll.ts';

/**
 * Does something again while AWS rejects it for a reason that passes by itself.
 * @param passes whether the failure is such a reason @param patience by default every 2 s for 2 minutes
 * @throws the last failure
 */
export async function untilReady<T>(
  act: () => Promise<T>,
  passes: (error: unknown) => boolean,
  { intervalMs = 2000, totalMs = 120_000 }: Patience = {},
): Promise<T> {
  const end = Date.now() + totalMs;
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (!passes(error) || Date.now() + intervalMs > end) throw error;
    }
    await sleep(intervalMs);
  }
}

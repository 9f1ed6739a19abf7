import { setTimeout as sleep } from 'node:timers/promises';

/** Looks until there is an answer. */
export async function until<T>(what: string, look: () => Promise<T | undefined>, ms = 300_000): Promise<T> {
  const end = Date.now() + ms;
  for (;;) {
    const answer = await look();
    if (answer !== undefined) return answer;
    if (Date.now() > end) throw new Error(`waited ${ms} ms for ${what}`);
    await sleep(200);
  }
}

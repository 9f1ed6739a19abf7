import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { sideBySide } from '../../../handlers/lib/side-by-side.ts';

const items = Array.from({ length: 50 }, (_, index) => index);

describe('many things side by side', () => {
  it('are done so many at once, and come back in their order', async () => {
    let running = 0;
    let most = 0;
    const results = await sideBySide(items, 7, async (item) => {
      running += 1;
      most = Math.max(most, running);
      await sleep(item % 3);
      running -= 1;
      return item * 2;
    });
    expect(results).toEqual(items.map((item) => item * 2));
    expect(most).toBe(7);
  });

  it('are all over when one has failed, and none is begun after it', async () => {
    let running = 0;
    const begun: number[] = [];
    const work = sideBySide(items, 5, async (item) => {
      begun.push(item);
      running += 1;
      await sleep(5);
      running -= 1;
      if (item === 7) throw new Error('seven');
    });
    await expect(work).rejects.toThrow('seven');
    expect(running).toBe(0);
    expect(begun.length).toBeLessThan(20);
  });

  it('of none is done at once', async () => {
    expect(await sideBySide([], 5, async () => 1)).toEqual([]);
  });
});

import { describe, expect, it } from 'vitest';
import { pauseAfter } from '../../../cli/follow/follower.ts';

describe('the pause between two looks at an execution', () => {
  it('is short after news and grows to a second without', () => {
    const pauses: number[] = [];
    for (let pause = pauseAfter(1000, true); pauses.length < 6; pause = pauseAfter(pause, false))
      pauses.push(pause);
    expect(pauses).toEqual([200, 300, 450, 675, 1000, 1000]);
  });
});

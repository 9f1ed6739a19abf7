import { describe, expect, it } from 'vitest';
import type { StateRun } from '../../../core/release/progress.ts';
import { buildingStates, buildsInSequence } from '../../support/builds.ts';

const run = (state: string, startedAt: number, endedAt?: number): StateRun => ({
  state,
  status: 'done',
  startedAt,
  ...(endedAt === undefined ? {} : { endedAt }),
});

describe('builds in sequence', () => {
  it('are those of the states that start one', () => {
    expect(buildingStates().sort()).toEqual(['BuildFunctions', 'BuildLayer', 'Optimise', 'Resolve']);
  });

  it('count once where they run side by side', () => {
    const waves = [
      run('B', 10, 20),
      run('B', 11, 19),
      run('B', 21, 30),
      run('B', 21, 25),
      run('Other', 40, 50),
    ];
    expect(buildsInSequence([run('A', 0, 9), ...waves], ['A', 'B'])).toBe(3);
  });

  it('are none where none ran, and one that has not ended counts', () => {
    expect(buildsInSequence([run('Other', 0, 1)], ['A'])).toBe(0);
    expect(buildsInSequence([run('A', 0, 1), run('A', 2)], ['A'])).toBe(2);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findCulprits } from '../../../core/optimise/bisect.ts';

describe('the search for culprits', () => {
  it('finds exactly those that break something by themselves, in few tests', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.nat(500), { maxLength: 200 }),
        fc.func(fc.boolean()),
        async (changes, isHarmful) => {
          const harmful = changes.filter((change) => isHarmful(change)).slice(0, 5);
          let tests = 0;
          const works = async (made: readonly number[]) => {
            tests += 1;
            return !made.some((change) => harmful.includes(change));
          };
          expect(await findCulprits(changes, works)).toEqual(harmful);
          expect(tests).toBeLessThanOrEqual(
            1 + harmful.length * (2 + Math.ceil(Math.log2(changes.length + 1))),
          );
        },
      ),
    );
  });

  it('leaves a set that works where changes break things only together', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(30), fc.nat(30)), { maxLength: 6 }), async (pairs) => {
        const changes = Array.from({ length: 31 }, (_, n) => n);
        const works = async (made: readonly number[]) =>
          !pairs.some(([one, two]) => one !== two && made.includes(one) && made.includes(two));
        const culprits = await findCulprits(changes, works);
        expect(await works(changes.filter((change) => !culprits.includes(change)))).toBe(true);
        expect(culprits.length).toBeLessThanOrEqual(pairs.length);
      }),
    );
  });
});

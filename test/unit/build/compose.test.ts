import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compose, mounted, type Piece } from '../../../core/build/compose.ts';

const piece = (name: string, bytes: number, ...functions: string[]): Piece => ({ name, bytes, functions });
const names = (layers: ReturnType<typeof compose>) =>
  layers.map(({ pieces }) => pieces.map(({ name }) => name));

describe('the split into layers', () => {
  it('puts together what the same functions need', () => {
    const layers = compose(
      [
        piece('numpy', 40, 'validate', 'features', 'predict'),
        piece('pandas', 30, 'validate', 'features', 'predict'),
        piece('scipy', 60, 'features', 'predict'),
        piece('scikit-learn', 30, 'features', 'predict'),
        piece('boto3', 4, 'validate', 'predict'),
        piece('idle', 9),
      ],
      5,
    );
    expect(names(layers)).toEqual([['numpy', 'pandas'], ['scipy', 'scikit-learn'], ['boto3']]);
    expect(layers.map(({ functions }) => functions)).toEqual([
      ['features', 'predict', 'validate'],
      ['features', 'predict'],
      ['predict', 'validate'],
    ]);
  });

  it('joins where there may be no more layers what costs least together', () => {
    const pieces = [
      piece('large', 100, 'a'),
      piece('small', 1, 'b'),
      piece('tiny', 1, 'c'),
      piece('both', 50, 'a', 'b'),
    ];
    expect(names(compose(pieces, 3))).toEqual([['both', 'small'], ['large'], ['tiny']]);
    expect(compose(pieces, 1)).toHaveLength(1);
  });

  it('holds each distribution once, in no more layers than there may be, and is never worse than one layer or a random one', () => {
    const functions = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { maxLength: 5 });
    const pieces = fc
      .array(fc.tuple(fc.integer({ min: 1, max: 1000 }), functions), { minLength: 1, maxLength: 14 })
      .map((rows) => rows.map(([bytes, users], index) => piece(`p${index}`, bytes, ...users)));
    fc.assert(
      fc.property(
        pieces,
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.nat(4), { minLength: 14, maxLength: 14 }),
        (all, max, random) => {
          const used = all.filter((one) => one.functions.length > 0);
          const layers = compose(all, max);
          expect(layers.length).toBeLessThanOrEqual(max);
          expect(names(layers).flat().sort()).toEqual(used.map(({ name }) => name).sort());
          const other = Array.from({ length: max }, (_, layer) =>
            used.filter((_, index) => (random[index] ?? 0) % max === layer),
          );
          const cost = mounted(
            other.map((own) => ({
              bytes: own.reduce((sum, { bytes }) => sum + bytes, 0),
              functions: [...new Set(own.flatMap((one) => one.functions))],
            })),
          );
          const patterns = new Set(used.map((one) => [...one.functions].sort().join()));
          if (patterns.size <= 9) expect(mounted(layers)).toBeLessThanOrEqual(cost);
        },
      ),
    );
  });
});

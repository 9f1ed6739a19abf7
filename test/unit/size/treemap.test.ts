import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { folderSizes } from '../../../core/size/folders.ts';
import { layOut } from '../../../core/size/treemap.ts';

const folder = fc
  .array(fc.stringMatching(/^[a-z]{1,6}$/), { minLength: 1, maxLength: 2 })
  .map((parts) => parts.join('/'));
const folders = fc.uniqueArray(fc.tuple(folder, fc.integer({ min: 1, max: 1e8 })), {
  minLength: 1,
  maxLength: 60,
  selector: ([name]) => name,
});

describe('a map of folders', () => {
  it('shows each once, inside, without overlap', () => {
    fc.assert(
      fc.property(folders, fc.integer({ min: 100, max: 1000 }), (sizes, scale) => {
        const { tiles, height } = layOut(sizes, 500, scale);
        expect(new Map(tiles.map((tile) => [tile.folder, tile.bytes]))).toEqual(new Map(sizes));
        for (const { x, y, width, height: high } of tiles) {
          expect(Math.min(x, y, width, high)).toBeGreaterThanOrEqual(0);
          expect(x + width).toBeLessThanOrEqual(501);
          expect(y + high).toBeLessThanOrEqual(height + 1);
        }
        const area = tiles.reduce((sum, one) => sum + one.width * one.height, 0);
        expect(area).toBeLessThanOrEqual(500 * height * 1.01);
        const [a, b] = tiles;
        const apart = (one: typeof a, other: typeof b) =>
          !one || !other || one.x + one.width <= other.x + 1 || one.y + one.height <= other.y + 1;
        expect(apart(a, b) || apart(b, a)).toBe(true);
      }),
    );
  });

  it('puts the same content under the same names before and after', () => {
    expect(
      folderSizes([
        { path: 'python/numpy/core/x.pyc', bytes: 3 },
        { path: 'python/numpy/core/a/b.so', bytes: 4 },
        { path: 'python/numpy/__init__.pyc', bytes: 1 },
        { path: 'python/six.pyc', bytes: 2 },
        { path: 'python/numpy.libs/x.so', bytes: 9 },
      ]),
    ).toEqual([
      ['numpy.libs', 9],
      ['numpy/core', 7],
      ['six', 2],
      ['numpy', 1],
    ]);
    expect(folderSizes([{ path: 'six.py', bytes: 1 }])).toEqual([['six', 1]]);
    expect(
      layOut(
        [
          ['numpy.libs', 1],
          ['numpy/core', 1],
        ],
        10,
        1,
      ).tiles.map((tile) => tile.package),
    ).toEqual(['numpy', 'numpy']);
  });
});

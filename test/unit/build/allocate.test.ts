import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allocate } from '../../../core/build/allocate.ts';

const names = ['a', 'b', 'c', 'd', 'e'];
const input = fc.record({
  layers: fc
    .uniqueArray(fc.constantFrom('one', 'two', 'three', 'four'), { minLength: 1 })
    .chain((ids) =>
      fc.tuple(...ids.map((id) => fc.subarray(names).map((needs) => ({ id, needs: new Set(needs) })))),
    ),
  functions: fc.array(
    fc.subarray(['one', 'two', 'three', 'four']).map((layers) => ({ layers })),
    { maxLength: 5 },
  ),
});

describe('the allocation of distributions to layers', () => {
  it('puts what two layers of the same functions need into the lower one', () => {
    const layers = [
      { id: 'ml', needs: new Set(['numpy', 'scipy']) },
      { id: 'core', needs: new Set(['numpy', 'pandas']) },
    ];
    const result = allocate({ layers, functions: [{ layers: ['core'] }, { layers: ['core', 'ml'] }] });
    expect(result).toEqual([
      { id: 'core', carries: ['numpy', 'pandas'], requires: [], wave: 0 },
      { id: 'ml', carries: ['scipy'], requires: ['core'], wave: 1 },
    ]);
  });

  it('does not let a layer lean on one that some function lacks', () => {
    const layers = [
      { id: 'core', needs: new Set(['numpy']) },
      { id: 'ml', needs: new Set(['numpy']) },
    ];
    const result = allocate({
      layers,
      functions: [{ layers: ['core'] }, { layers: ['core', 'ml'] }, { layers: ['ml'] }],
    });
    expect(result.every(({ carries }) => carries.includes('numpy'))).toBe(true);
  });

  it('gives every function all that its layers need, once, in an order without circles', () => {
    fc.assert(
      fc.property(input, ({ layers, functions }) => {
        const result = allocate({ layers, functions });
        const carriedBy = (id: string) => result.find((one) => one.id === id)?.carries ?? [];
        for (const fn of functions) {
          const own = layers.filter(({ id }) => fn.layers.includes(id));
          const carried = own.flatMap(({ id }) => carriedBy(id));
          for (const { needs } of own) for (const need of needs) expect(carried).toContain(need);
        }
        for (const { wave, requires } of result) {
          for (const id of requires) expect(result.find((one) => one.id === id)?.wave).toBeLessThan(wave);
        }
        // Nothing is carried that nobody asked for.
        for (const { id, carries } of result) {
          for (const name of carries)
            expect(layers.find((layer) => layer.id === id)?.needs.has(name)).toBe(true);
        }
      }),
    );
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contains, cut, halves, remaining, setsOf } from './slices.ts';
import type { Slice } from './spec.ts';

const holds = (slice: Slice, hash: number) => hash % slice.of === slice.part;
/** How many of the slices hold each of the first hashes. */
const coverage = (slices: readonly Slice[]) =>
  Array.from({ length: 5_040 }, (_, hash) => slices.filter((slice) => holds(slice, hash)).length);

/** A cut, some of its slices halved a few times. */
const cuts = fc
  .tuple(fc.integer({ min: 1, max: 9 }), fc.array(fc.nat(), { maxLength: 4 }))
  .map(([count, splits]) =>
    splits.reduce((slices, at) => {
      const index = at % slices.length;
      return slices.toSpliced(index, 1, ...halves(slices[index] as Slice));
    }, cut(count)),
  );

describe('slices', () => {
  it('cover everything once, halved or not', () => {
    fc.assert(
      fc.property(cuts, (slices) => {
        expect(new Set(coverage(slices))).toEqual(new Set([1]));
      }),
    );
  });

  it('have parts that tell them apart, so that a part can number a file', () => {
    fc.assert(
      fc.property(cuts, (slices) => {
        expect(new Set(slices.map(({ part }) => part)).size).toBe(slices.length);
      }),
    );
  });

  it('contain their halves and nothing else of the same size', () => {
    const slice = { part: 2, of: 3 };
    expect(halves(slice).every((half) => contains(slice, half))).toBe(true);
    expect(contains(slice, { part: 0, of: 6 })).toBe(false);
    expect(contains({ part: 2, of: 6 }, slice)).toBe(false);
  });

  it('that remain complete those that are done, whatever the new cut would be', () => {
    fc.assert(
      fc.property(
        cuts,
        fc.array(fc.boolean(), { maxLength: 12 }),
        fc.integer({ min: 1, max: 20 }),
        (slices, picks, count) => {
          const done = slices.filter((_, index) => picks[index]);
          const rest = remaining(done, count);
          expect(new Set(coverage([...done, ...rest]))).toEqual(new Set([1]));
        },
      ),
    );
  });

  it('that remain are as fine as asked for', () => {
    expect(remaining([], 3)).toEqual(cut(3));
    expect(remaining([{ part: 0, of: 1 }], 4)).toEqual([]);
    expect(remaining([{ part: 0, of: 2 }], 1)).toEqual([{ part: 1, of: 2 }]);
    expect(remaining([{ part: 0, of: 2 }], 4)).toEqual([
      { part: 1, of: 4 },
      { part: 3, of: 4 },
    ]);
  });
});

it('puts slices of one modulus together, in order, none left out', () => {
  const item = fc.record({ slice: fc.record({ part: fc.nat(7), of: fc.constantFrom(8, 16) }) });
  fc.assert(
    fc.property(fc.array(item), fc.integer({ min: 1, max: 8 }), (items, most) => {
      const sets = setsOf(items, most, 2);
      expect(sets.flat()).toEqual(items);
      for (const set of sets) {
        expect(set.length).toBeLessThanOrEqual(most);
        expect(new Set(set.map(({ slice }) => slice.of)).size).toBe(1);
      }
      if (items.length > 1) expect(sets.length).toBeGreaterThan(1);
    }),
  );
});

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { portionsOf } from './portions.ts';

it('are all items in order, a turn for others after each full portion', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(), { maxLength: 40 }),
      fc.integer({ min: 1, max: 9 }),
      async (items, size) => {
        let turns = 0;
        const count = (): void => {
          turns++;
          next = setImmediate(count);
        };
        let next = setImmediate(count);
        const portions: (readonly number[])[] = [];
        for await (const portion of portionsOf(items, size)) portions.push(portion);
        clearImmediate(next);
        expect(portions.flat()).toEqual(items);
        expect(portions.every(({ length }, n) => length === size || n === portions.length - 1)).toBe(true);
        expect(turns).toBe(Math.floor(items.length / size));
      },
    ),
  );
});

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { jsonAnswer } from './json-answer.ts';

const item = fc.oneof(
  fc.jsonValue(),
  fc.constant(undefined),
  fc.date().map((date) => (Number.isNaN(+date) ? null : date)),
);
const long = fc
  .tuple(fc.array(item, { maxLength: 3 }), fc.integer({ min: 0, max: 250 }))
  .map(([items, count]) => Array.from({ length: count }, (_, n) => items[n % items.length]));
const page = fc
  .record({ count: fc.nat(), next: fc.option(fc.webUrl()), nothing: fc.constant(undefined), results: long })
  .chain((whole) => fc.shuffledSubarray(Object.entries(whole)).map((entries) => Object.fromEntries(entries)));

it('is what JSON.stringify makes of it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.jsonValue(), long, page), async (body) => {
      expect(String(await jsonAnswer(body))).toBe(JSON.stringify(body));
    }),
  );
});

it('gives others their turn in a long list', async () => {
  let turns = 0;
  let over = false;
  const count = (): void => {
    turns++;
    if (!over) setImmediate(count);
  };
  setImmediate(count);
  await jsonAnswer({ results: Array(1000).fill('x') });
  over = true;
  expect(turns).toBeGreaterThanOrEqual(10);
});

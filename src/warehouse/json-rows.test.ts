import fc from 'fast-check';
import { expect, it } from 'vitest';
import { jsonRows } from './json-rows.ts';

it('are the lines, whether the last has an end or not', async () => {
  const text = fc.string({ unit: 'binary' }).map((text) => text.toWellFormed().repeat(9_000));
  const rows = fc.array(fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.record({ text })));
  await fc.assert(
    fc.asyncProperty(rows, fc.boolean(), async (rows, ended) => {
      const text = rows.map((row) => JSON.stringify(row)).join('\n') + (ended ? '\n' : '');
      expect(await jsonRows(Buffer.from(text))).toEqual(JSON.parse(JSON.stringify(rows)));
    }),
    { numRuns: 30 },
  );
});

it('gives others their turn in a long answer, and in a short one does not wait for them', async () => {
  let turns = 0;
  const count = (): void => {
    turns++;
    next = setImmediate(count);
  };
  let next = setImmediate(count);
  const line = `{"text":"${'x'.repeat(1000)}"}\n`;
  expect(await jsonRows(Buffer.from(line.repeat(100)))).toHaveLength(100);
  expect(turns).toBe(0);
  expect(await jsonRows(Buffer.from(line.repeat(5000)))).toHaveLength(5000);
  expect(turns).toBeGreaterThanOrEqual(15);
  clearImmediate(next);
});

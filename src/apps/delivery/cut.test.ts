import { describe, expect, it } from 'vitest';
import { cutBatches } from './cut.ts';
import { compare, startOf } from './position.ts';

const row = (first: number, bytes = 1) => ({ first, second: 0, uuid: `u${first}`, bytes });
const start = startOf(0);

describe('cutBatches', () => {
  it.each([
    ['nothing', [], [], 0],
    ['fewer than a batch', [row(1), row(2)], [], 2],
    ['exactly a batch', [row(1), row(2), row(3)], [3], 0],
    ['more', [1, 2, 3, 4].map((n) => row(n)), [3], 1],
    ['too many bytes for one', [row(1, 6), row(2, 6), row(3, 6)], [1, 1], 1],
    ['a row larger than a batch', [row(1, 1), row(2, 99), row(3, 1)], [1, 1], 1],
  ])('%s', (_, rows, full, rest) => {
    const cut = cutBatches(rows, start, { events: 3, bytes: 10 });
    expect(cut.full.map(({ events }) => events)).toEqual(full);
    expect(cut.rest?.events ?? 0).toBe(rest);
  });

  it('D1: leaves no gap and no overlap', () => {
    const rows = [1, 2, 3, 4, 5, 6, 7].map((n) => row(n, n));
    const { full, rest } = cutBatches(rows, start, { events: 3, bytes: 10 });
    const all = rest ? [...full, rest] : full;
    expect(all[0]?.after).toEqual(start);
    for (const [i, batch] of all.entries()) {
      if (i > 0) expect(batch.after).toEqual(all[i - 1]?.until);
      expect(compare(batch.after, batch.until)).toBeLessThan(0);
    }
    expect(all.at(-1)?.until).toMatchObject({ first: 7 });
    expect(all.reduce((sum, { events }) => sum + events, 0)).toBe(rows.length);
  });
});

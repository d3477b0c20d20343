import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CursorFetch, cursorPage, type Position, readOrdering } from './cursor.ts';

interface Row {
  readonly id: string;
  readonly created_at: number;
  readonly start_at: number | null;
}

const uuid = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const numberOf = (id: string) => Number(id.slice(-12));

const BASE = 'http://host/api/things/?status=a&status=b';

/** A list kept the way a database would: sorted by the keys, null first, strictly after a position. */
function fetchFrom(rows: readonly Row[]) {
  return async ({ keys, after, limit }: CursorFetch) => {
    const value = (row: Row, field: string) =>
      field === 'id'
        ? numberOf(row.id)
        : (row[field as 'created_at' | 'start_at'] ?? Number.NEGATIVE_INFINITY);
    const compare = (left: readonly number[], right: readonly number[]) => {
      for (const [i, key] of keys.entries()) {
        const order = (left[i] ?? 0) < (right[i] ?? 0) ? -1 : left[i] === right[i] ? 0 : 1;
        if (order !== 0) return key.descending ? -order : order;
      }
      return 0;
    };
    const place = (row: Row) => keys.map((key) => value(row, key.field));
    const from = after?.map((part) =>
      typeof part === 'string' ? numberOf(part) : (part ?? Number.NEGATIVE_INFINITY),
    );
    return rows
      .toSorted((a, b) => compare(place(a), place(b)))
      .filter((row) => from === undefined || compare(place(row), from) > 0)
      .slice(0, limit);
  };
}

const page = (rows: readonly Row[], url: string, ordering: string, pageSize: number) => {
  const keys = readOrdering(ordering, ['created_at', 'start_at']);
  const position = (row: Row): Position => keys.map(({ field }) => row[field]);
  return cursorPage({ url: new URL(url), pageSize, keys, fetch: fetchFrom(rows), position });
};

describe('contract.md §1.5: cursors', () => {
  it('every row appears exactly once, forwards and backwards, however many share a moment', async () => {
    const rows = fc
      .array(fc.record({ created_at: fc.nat(3), start_at: fc.option(fc.nat(2)) }), { maxLength: 30 })
      .map((list) => list.map((row, n) => ({ ...row, id: uuid(n) })));
    const ordering = fc.constantFrom(
      '',
      'created_at',
      '-created_at',
      'start_at',
      '-start_at',
      '-start_at,created_at',
      'x',
    );
    await fc.assert(
      fc.asyncProperty(rows, ordering, fc.integer({ min: 1, max: 7 }), async (all, order, size) => {
        const whole = (await page(all, BASE, order, 1000)).results.map((row) => row.id);
        expect(whole).toHaveLength(all.length);
        const pages: string[][] = [];
        let last = BASE;
        for (let next: string | null = BASE; next !== null; ) {
          const { results, next: following } = await page(all, next, order, size);
          pages.push(results.map((row) => row.id));
          last = next;
          next = following;
        }
        expect(pages.flat()).toEqual(whole);
        const back: string[][] = [];
        for (let previous: string | null = last; previous !== null; ) {
          const { results, previous: before } = await page(all, previous, order, size);
          back.unshift(results.map((row) => row.id));
          previous = before;
        }
        expect(back.flat()).toEqual(whole);
      }),
      { seed: 5, numRuns: 200 },
    );
  });

  it('ties are ordered by id, in the direction of the first field', () => {
    expect(readOrdering('-created_at', ['created_at'])).toEqual([
      { field: 'created_at', descending: true },
      { field: 'id', descending: true },
    ]);
    expect(readOrdering('start_at,-created_at', ['created_at', 'start_at']).at(-1)).toEqual({
      field: 'id',
      descending: false,
    });
  });

  it.each(['', 'x', '-x,y', ',', null, undefined])('an ordering of %j is the newest first', (text) => {
    expect(readOrdering(text, ['created_at'])[0]).toEqual({ field: 'created_at', descending: true });
  });

  it('links keep the other parameters', async () => {
    const rows = [1, 2].map((n) => ({ id: uuid(n), created_at: n, start_at: null }));
    const { next } = await page(rows, BASE, '', 1);
    expect(new URL(next ?? '').searchParams.getAll('status')).toEqual(['a', 'b']);
    expect(new URL(next ?? '').host).toBe('host');
  });

  const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  it.each([
    'nonsense',
    '%%%',
    encoded({}),
    encoded([0]),
    encoded([0, 1]),
    encoded([0, 1, 2, uuid(3)]),
    encoded([0, '2026', uuid(1)]),
    encoded([0, 1.5, uuid(1)]),
    encoded([0, 1e17, uuid(1)]),
    encoded([0, 1, 'x']),
    encoded([0, 1, null]),
    encoded([0, 1, 2]),
  ])('%s is no cursor → 404', async (cursor) => {
    const url = `${BASE}&cursor=${encodeURIComponent(cursor)}`;
    await expect(page([], url, '', 1)).rejects.toMatchObject({ code: 'not_found' });
  });
});

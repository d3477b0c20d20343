import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limitOffsetPage, readWindow } from './pagination.ts';

const BASE = 'http://host:8010/api/things/?kind=a&kind=b';
const items = (count: number) => Array.from({ length: count }, (_, i) => i);
const page = (url: string, count: number) =>
  limitOffsetPage(new URL(url), async ({ limit, offset }) => ({
    count,
    items: items(count).slice(offset, offset + limit),
  }));

describe('contract.md §1.5: limit and offset', () => {
  it.each([
    ['', 100, 0],
    ['&limit=5&offset=7', 5, 7],
    ['&limit=0&offset=-1', 100, 0],
    ['&limit=-5', 100, 0],
    ['&limit=x&offset=y', 100, 0],
    ['&limit=1.5&offset=', 100, 0],
    ['&limit=99999999999999999999', 2 ** 31 - 1, 0],
  ])('%j is limit %i, offset %i', (query, limit, offset) => {
    expect(readWindow(new URL(BASE + query))).toEqual({ limit, offset });
  });

  it('links are absolute and keep the rest; offset 0 is left out', async () => {
    const { next, previous } = await page(`${BASE}&limit=10&offset=10`, 30);
    expect(next).toBe(`${BASE}&limit=10&offset=20`);
    expect(previous).toBe(`${BASE}&limit=10`);
    expect(await page(BASE, 100)).toMatchObject({ next: null, previous: null, count: 100 });
    expect((await page(BASE, 101)).next).toBe(`${BASE}&limit=100&offset=100`);
  });

  it('following next sees every row once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(40), fc.integer({ min: 1, max: 9 }), async (count, limit) => {
        const seen: number[] = [];
        for (let next: string | null = `${BASE}&limit=${limit}`; next !== null; ) {
          const one: Awaited<ReturnType<typeof page>> = await page(next, count);
          seen.push(...one.results);
          next = one.next;
        }
        expect(seen).toEqual(items(count));
      }),
      { seed: 3 },
    );
  });
});

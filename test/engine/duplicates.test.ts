import { afterAll, beforeAll, expect, it } from 'vitest';
import { EVENT_COLUMNS, eventsSource } from '../../src/export/models/events.ts';
import { type Duplicates, distinctRows, distinctUuids } from '../../src/export/models/rows.ts';
import { alone, cut, WHOLE } from '../../src/export/slices.ts';
import type { Slice } from '../../src/export/spec.ts';
import { startTestWarehouse, type TestWarehouse } from '../kit/warehouse.ts';
import { eventRow, insertEvents, liveSpec } from './fixture.ts';

let embedded: TestWarehouse;
const source = eventsSource(liveSpec(1));
const ROWS = 400;

beforeAll(async () => {
  embedded = await startTestWarehouse();
  // Every fifth event is stored three times, with other contents each time and no version to tell them apart.
  const rows = Array.from({ length: ROWS }, (_, n) => [
    eventRow(n),
    ...(n % 5 === 0 ? [1, 2].map((copy) => eventRow(n, { properties: `{"copy":${copy}}` })) : []),
  ]).flat();
  for (const part of [rows.slice(0, 300), rows.slice(300)]) await insertEvents(embedded.warehouse, 1, part);
});
afterAll(() => embedded.close());

const names = EVENT_COLUMNS.map(({ name }) => name).join(', ');

function rowsOf(slice: Slice, duplicates: Duplicates): Promise<{ uuid: string }[]> {
  const rows = distinctRows(source, alone(slice), duplicates);
  return embedded.warehouse.rows({
    sql: `SELECT ${names} FROM (${rows.sql}) ORDER BY uuid`,
    params: rows.params,
  });
}

it('are dropped alike whether few or many, and the same row stays', async () => {
  const some = await rowsOf(WHOLE, 'some');
  expect(some).toHaveLength(ROWS);
  expect(new Set(some.map(({ uuid }) => uuid)).size).toBe(ROWS);
  expect(await rowsOf(WHOLE, 'many')).toEqual(some);
});

it('are dropped alike in slices', async () => {
  for (const duplicates of ['some', 'many'] as const) {
    const parts = await Promise.all(cut(3).map((slice) => rowsOf(slice, duplicates)));
    const together = parts.flat().toSorted((a, b) => (a.uuid < b.uuid ? -1 : 1));
    const whole = await rowsOf(WHOLE, duplicates);
    expect(together).toEqual(whole.toSorted((a, b) => (a.uuid < b.uuid ? -1 : 1)));
  }
});

it('are counted as they are exported', async () => {
  const uuids = distinctUuids(source, 'some', alone(WHOLE));
  const [row] = await embedded.warehouse.rows<{ rows: string }>({
    sql: `SELECT count() AS rows FROM (${uuids.sql})`,
    params: uuids.params,
  });
  expect(Number(row?.rows)).toBe(ROWS);
});

import { afterAll, beforeAll, expect, it } from 'vitest';
import { countRun } from '../../src/export/count.ts';
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

function counted(team: number, rowsPerLook?: number) {
  const spec = liveSpec(team);
  const { warehouse } = embedded;
  const context = { spec, source: eventsSource(spec), warehouse, signal: new AbortController().signal };
  return countRun(context, rowsPerLook);
}

it('are noticed in one look and in several', async () => {
  for (const rowsPerLook of [undefined, 560, 559, 100]) {
    expect(await counted(1, rowsPerLook)).toMatchObject({ tally: { rows: ROWS }, duplicates: 'some' });
  }
});

it('are not what only looks alike in half the bits', async () => {
  const rows = [0, 1, 2].map((n) => eventRow(n));
  const swapped = ['0190a1b2-c3d4-7e5f-8a6b-4c2d0e1f3a5b', '8a6b4c2d-0e1f-3a5b-0190-a1b2c3d47e5f'];
  const alike = swapped.map((uuid) => ({ ...eventRow(9), uuid }));
  await insertEvents(embedded.warehouse, 2, [...rows, ...alike]);
  for (const rowsPerLook of [undefined, 2]) {
    expect(await counted(2, rowsPerLook)).toMatchObject({ tally: { rows: 5 }, duplicates: 'none' });
  }
});

import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bulkEvents } from '../../src/demo/bulk.ts';
import { readEvents } from '../kit/duckdb.ts';
import { startTestWarehouse, type TestWarehouse } from '../kit/warehouse.ts';
import { altered, exportWith, HOUR, liveSpec, openPlace, PLAIN_FILES, recorder, START } from './fixture.ts';

/** Files that turn out to be larger than the sample said. */
const ROWS = 15_000;
const TEAM = 7;
let embedded: TestWarehouse;

beforeAll(async () => {
  embedded = await startTestWarehouse();
  const hour = { from: new Date(START), to: new Date(START + HOUR) };
  const events = { rows: ROWS, seed: 1, teamId: TEAM, timestamps: hour, arrivals: hour };
  await embedded.warehouse.command(bulkEvents(events));
});
afterAll(() => embedded.close());

/** A run whose sample has so many bytes a row: how many queries counted slices and wrote files, and how many were split. */
async function exported(options: { format: 'JSONLines' | 'Parquet'; limitMb: number; sampled: number }) {
  const { warehouse } = embedded;
  const found = { counted: 0, written: 0 };
  const place = await openPlace();
  const observer = recorder();
  const counting = altered(warehouse, {
    rows: (query) => {
      if (query.sql.includes('GROUP BY part')) found.counted++;
      return warehouse.rows(query);
    },
    command: (query) => {
      found.written++;
      return warehouse.command(query);
    },
    bytes: async () => Readable.from([Buffer.alloc(options.sampled * ROWS)]),
  });
  const files = { ...PLAIN_FILES, format: options.format, maxFileSizeMb: options.limitMb };
  const outcome = await exportWith(counting, place, liveSpec(TEAM), files, { observer });
  const uuids = new Set((await readEvents(place.root)).map(({ uuid }) => uuid));
  place.remove();
  expect(uuids.size).toBe(ROWS);
  for (const { bytes } of outcome.files) expect(bytes).toBeLessThanOrEqual(options.limitMb * 1024 * 1024);
  const split = observer.logs.filter(({ message }) => message.includes('split')).length;
  return { ...found, files: outcome.files.length, split };
}

it('slices of a set that are too large are counted together, and their halves written together', async () => {
  // Two sets of four: each counts once, after the plan, and writes its eight halves with one scan.
  const found = await exported({ format: 'JSONLines', limitMb: 1.5, sampled: 700 });
  expect(found).toEqual({ files: 16, split: 8, counted: 3, written: 4 });
});

it('slices that have not begun when others are too large are not written first', async () => {
  // Three sets of four: two are written in vain, and then six of halves.
  const found = await exported({ format: 'Parquet', limitMb: 0.75, sampled: 555 });
  expect(found).toEqual({ files: 24, split: 12, counted: 4, written: 8 });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Compression, FileFormat } from '../../src/export/spec.ts';
import { dataFiles, describeFile, query, readEvents } from '../kit/duckdb.ts';
import { startTestWarehouse, type TestWarehouse } from '../kit/warehouse.ts';
import {
  type EventRow,
  eventRow,
  exportWith,
  insertEvents,
  liveSpec,
  openPlace,
  PLAIN_FILES,
  remote,
} from './fixture.ts';

/** Every file format and compression, read by DuckDB; brotli lines, which it does not know, by the engine's re-read. */
const FORMATS: readonly [FileFormat, Compression | null][] = [
  ...(['zstd', 'lz4', 'snappy', 'gzip', 'brotli', null] as const).map((codec) => ['Parquet', codec] as const),
  ...(['gzip', 'zstd', null] as const).map((codec) => ['JSONLines', codec] as const),
].map(([format, codec]) => [format, codec]);

let embedded: TestWarehouse;
const rows = Array.from({ length: 3000 }, (_, n) =>
  eventRow(n, n % 11 === 0 ? { timestamp: 1772323200_123456 + n } : {}),
);
const TEAM = 1;

beforeAll(async () => {
  embedded = await startTestWarehouse();
  await insertEvents(embedded.warehouse, TEAM, rows);
});
afterAll(() => embedded.close());

describe.each(['by the engine', 'through Node'])('files written %s', (way) => {
  const warehouse = () => (way === 'through Node' ? remote(embedded.warehouse) : embedded.warehouse);

  it.each(FORMATS)('%s %s holds every row and value', async (format, compression) => {
    const place = await openPlace();
    try {
      const outcome = await exportWith(warehouse(), place, liveSpec(TEAM), {
        ...PLAIN_FILES,
        format,
        compression,
      });
      expect(outcome.proof.reread).toEqual(outcome.proof.source);
      expect(outcome).toMatchObject({ rows: rows.length, cleaned: 0 });
      expect(await readEvents(place.root)).toEqual(expected(rows));
    } finally {
      place.remove();
    }
  });

  it('brotli lines hold every row', async () => {
    const place = await openPlace();
    try {
      const files = { ...PLAIN_FILES, compression: 'brotli' } as const;
      const outcome = await exportWith(warehouse(), place, liveSpec(TEAM), files);
      expect(outcome.proof.reread).toEqual(outcome.proof.source);
      expect(outcome.proof.reread.rows).toBe(rows.length);
      expect(outcome.files[0]?.key).toMatch(/\.jsonl\.br$/);
    } finally {
      place.remove();
    }
  });
});

it('Parquet has the documented columns and types', async () => {
  const place = await openPlace();
  try {
    const files = { ...PLAIN_FILES, format: 'Parquet', compression: 'zstd' } as const;
    await exportWith(embedded.warehouse, place, liveSpec(TEAM), files);
    const [path] = dataFiles(place.root);
    const time = 'TIMESTAMP WITH TIME ZONE';
    expect(await describeFile(path as string)).toEqual([
      { name: 'uuid', type: 'VARCHAR' },
      { name: 'timestamp', type: time },
      { name: '_inserted_at', type: time },
      { name: 'created_at', type: time },
      { name: 'event', type: 'VARCHAR' },
      { name: 'properties', type: 'VARCHAR' },
      { name: 'distinct_id', type: 'VARCHAR' },
      { name: 'person_properties', type: 'VARCHAR' },
      { name: 'elements_chain', type: 'VARCHAR' },
      { name: 'person_id', type: 'VARCHAR' },
    ]);
    const schema = await query<{ name: string; logical_type: string }>(
      `SELECT name, logical_type FROM parquet_schema('${path}') WHERE name = 'timestamp'`,
    );
    expect(schema[0]?.logical_type).toMatch(/MICROS/);
    expect(schema[0]?.logical_type).toMatch(/isAdjustedToUTC=1/);
  } finally {
    place.remove();
  }
});

/** What was inserted, as `readEvents` shows it. */
function expected(inserted: readonly EventRow[]) {
  const time = (micros: number) =>
    `${new Date(Math.floor(micros / 1e6) * 1000).toISOString().slice(0, 19)}.${String(micros % 1e6).padStart(6, '0')}`;
  return inserted
    .map((row) => ({
      uuid: row.uuid,
      timestamp: time(row.timestamp),
      _inserted_at: time(row.inserted_at ?? row._timestamp),
      created_at: time(row.created_at),
      event: row.event,
      properties: row.properties,
      distinct_id: row.distinct_id,
      person_properties: row.person_properties || null,
      elements_chain: row.elements_chain,
      person_id: row.uuid,
    }))
    .toSorted((a, b) => (a.uuid < b.uuid ? -1 : 1));
}

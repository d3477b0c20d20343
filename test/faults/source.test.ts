import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { FileTarget } from '../../src/export/destinations/destination.ts';
import { openBucket } from '../../src/export/destinations/s3/target.ts';
import type { FileOptions, RunSpec } from '../../src/export/spec.ts';
import type { Warehouse } from '../../src/warehouse/warehouse.ts';
import { connectionTo } from '../destinations/connection.ts';
import { testPorts } from '../destinations/ports.ts';
import {
  altered,
  eventRow,
  exportWith,
  HOUR,
  insertEvents,
  liveSpec,
  memoryLedger,
  openPlace,
  PLAIN_FILES,
  type Place,
  recorder,
  remote,
  START,
} from '../engine/fixture.ts';
import { readEvents } from '../kit/duckdb.ts';
import { type S3Server, startS3 } from '../kit/s3/server.ts';
import { startTestWarehouse, type TestWarehouse } from '../kit/warehouse.ts';
import { filesBelow } from './destinations.ts';
import { chooseSeed, LONG, seeded } from './random.ts';

/**
 * anchors.md D.3, row 12: the source changes while a run reads it. What a run counted and what it wrote are compared, so it
 * notices; then it is repeated, and is right.
 */
const seed = chooseSeed('source');
const random = seeded(seed);
const TURNS = LONG ? 12 : 1;
const ROWS = 1_500;
const SPLIT: FileOptions = { ...PLAIN_FILES, maxFileSizeMb: 1 };

let embedded: TestWarehouse;
let place: Place;
let team = 1;
beforeAll(async () => {
  embedded = await startTestWarehouse();
});
beforeEach(async () => {
  place = await openPlace();
  team += 1;
});
afterEach(() => place.remove());
afterAll(() => embedded.close());

const rowsFrom = (first: number, count: number) =>
  Array.from({ length: count }, (_, n) => eventRow(first + n, { inserted_at: START * 1000 + n * 1000 }));
const uuidsOf = (rows: readonly { uuid: string }[]) => rows.map(({ uuid }) => uuid).toSorted();
const delivered = async () => (await readEvents(place.root)).map(({ uuid }) => uuid);

/** Runs until an attempt succeeds, as the worker does; returns what the earlier ones failed with. */
async function untilDone(
  warehouse: TestWarehouse['warehouse'],
  files: FileOptions,
  first: Parameters<typeof exportWith>[4],
): Promise<{ codes: string[]; rows: number }> {
  const ledger = memoryLedger();
  const codes: string[] = [];
  for (let attempt = 1; attempt <= 3; attempt++) {
    try {
      const change = { ledger, attempt, ...(attempt === 1 ? first : {}) };
      const { rows } = await exportWith(warehouse, place, liveSpec(team), files, change);
      return { codes, rows };
    } catch (error) {
      codes.push((error as { code: string }).code);
    }
  }
  throw new Error(`three attempts failed: ${codes.join(', ')}`);
}

/** Does something once, at a step, before the run goes on. */
function at(step: string, deed: () => Promise<void>) {
  let done: Promise<void> | undefined;
  const observer = recorder((name) => {
    if (name === step) done ??= deed();
  });
  // Slices are staged after it: a step is only told, so the target waits.
  const target: FileTarget = {
    ...place.target,
    stagingPath: async (slot) => {
      await done;
      return place.target.stagingPath(slot);
    },
  };
  return { observer, target };
}

/** One deed at one step of a run in a project of its own, `TURNS` times. */
async function everyTurn(turn: () => Promise<void>): Promise<void> {
  for (let n = 0; n < TURNS; n++) {
    if (n > 0) {
      place.remove();
      place = await openPlace();
      team += 1;
    }
    await turn();
  }
}

describe.each(['planned', 'slice-started'])('at %s', (step) => {
  it('rows arrive below the watermark: noticed, and exported by the next attempt', () =>
    everyTurn(async () => {
      const [first, late] = [rowsFrom(0, ROWS), rowsFrom(ROWS, 1 + Math.floor(random() * 50))];
      await insertEvents(embedded.warehouse, team, first);
      const { observer, target } = at(step, () => insertEvents(embedded.warehouse, team, late));
      const { codes, rows } = await untilDone(embedded.warehouse, SPLIT, { observer, target });
      expect(codes).toEqual(['verification_failed']);
      expect(rows).toBe(ROWS + late.length);
      expect(await delivered()).toEqual(uuidsOf([...first, ...late]));
    }));

  it('the same insert comes a second time: every event once', () =>
    everyTurn(async () => {
      const rows = rowsFrom(0, ROWS);
      await insertEvents(embedded.warehouse, team, rows);
      const { observer, target } = at(step, () => insertEvents(embedded.warehouse, team, rows));
      const outcome = await untilDone(embedded.warehouse, SPLIT, { observer, target });
      expect(outcome.rows).toBe(ROWS);
      expect(await delivered()).toEqual(uuidsOf(rows));
    }));

  it('rows arrive above the interval: left to the next', () =>
    everyTurn(async () => {
      const rows = rowsFrom(0, ROWS);
      const above = Array.from({ length: 9 }, (_, n) =>
        eventRow(ROWS + n, { inserted_at: (START + HOUR) * 1000 + n, timestamp: START * 1000 }),
      );
      await insertEvents(embedded.warehouse, team, rows);
      const { observer, target } = at(step, () => insertEvents(embedded.warehouse, team, above));
      const { codes } = await untilDone(embedded.warehouse, SPLIT, { observer, target });
      expect(codes).toEqual([]);
      expect(await delivered()).toEqual(uuidsOf(rows));
      const next: RunSpec = {
        ...liveSpec(team),
        interval: { start: START + HOUR, end: START + 2 * HOUR },
        region: { arrivalFrom: START + HOUR, arrivalTo: START + 2 * HOUR, eventFrom: null, eventTo: null },
      };
      await exportWith(embedded.warehouse, place, next, SPLIT);
      expect(await delivered()).toEqual(uuidsOf([...rows, ...above]));
    }));

  it('a column is added to the table: nothing changes for the run', () =>
    everyTurn(async () => {
      const rows = rowsFrom(0, ROWS);
      await insertEvents(embedded.warehouse, team, rows);
      const add = { sql: `ALTER TABLE events ADD COLUMN extra_${team} String DEFAULT 'x'` };
      const { observer, target } = at(step, () => embedded.warehouse.command(add));
      const { codes } = await untilDone(embedded.warehouse, SPLIT, { observer, target });
      expect(codes).toEqual([]);
      expect(await delivered()).toEqual(uuidsOf(rows));
    }));
});

/** The same warehouse over a network, where one query computes for longer than anybody waits. */
function endless(warehouse: Warehouse, queryId: string): Warehouse {
  const never = '(SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1)';
  const bytes: Warehouse['bytes'] = (query) =>
    warehouse.bytes(
      query.queryId === queryId
        ? { ...query, sql: `SELECT * FROM (${query.sql}) WHERE ${never} > 0` }
        : query,
    );
  return altered(warehouse, { localFiles: false, bytes });
}

it('KILL QUERY while it is at work: tried again, nothing half is published', () =>
  everyTurn(async () => {
    const rows = rowsFrom(0, 300);
    await insertEvents(embedded.warehouse, team, rows);
    const id = `${liveSpec(team).runId}-1-0-of-1`;
    const atWork = async () => {
      const sql = 'SELECT query_id FROM system.processes';
      return (await embedded.warehouse.rows<{ query_id: string }>({ sql })).map((row) => row.query_id);
    };
    const killed = vi
      .waitFor(async () => expect(await atWork()).toContain(id), { timeout: 20_000, interval: 20 })
      .then(() => embedded.warehouse.kill(id));
    const { codes } = await untilDone(endless(embedded.warehouse, id), PLAIN_FILES, {});
    await killed;
    expect(codes).toEqual(['warehouse_cancelled']);
    expect(await delivered()).toEqual(uuidsOf(rows));
    expect(filesBelow(place.root).filter((path) => !/(\.jsonl|_manifest\.json)$/.test(path))).toEqual([]);
  }));

describe('an event larger than a part of S3', () => {
  let server: S3Server;
  beforeAll(async () => {
    server = await startS3({ buckets: ['large'] });
  });
  afterAll(() => server.stop());

  const formats = LONG ? (['JSONLines', 'Parquet'] as const) : (['JSONLines'] as const);
  it.each(formats)('%s: through the file system and through S3', async (format) => {
    const small = rowsFrom(0, 20);
    await insertEvents(embedded.warehouse, team, small);
    const sizes = LONG ? [6, 20, 40] : [17];
    for (const [n, megabytes] of sizes.entries()) await insertLarge(n, megabytes);
    const files: FileOptions = { ...SPLIT, format };
    const { rows } = await exportWith(embedded.warehouse, place, liveSpec(team), files);
    expect(rows).toBe(small.length + sizes.length);
    const found = await readEvents(place.root);
    expect(found).toHaveLength(rows);
    const lengths = found
      .map(({ properties }) => properties?.length ?? 0)
      .filter((length) => length > 1_000_000);
    expect(lengths.toSorted()).toEqual(sizes.map(propertiesLength).toSorted());

    const bucket = await openBucket(connectionTo(server, 'large'), testPorts(''));
    const through = { ...place, target: bucket };
    const outcome = await exportWith(remote(embedded.warehouse), through, liveSpec(team), files);
    expect(outcome.proof.reread).toEqual(outcome.proof.source);
    const there = await Promise.all(outcome.files.map(({ key }) => server.content('large', key)));
    expect(there.reduce((sum, content) => sum + (content?.length ?? 0), 0)).toBe(outcome.bytes);
    if (format === 'JSONLines') expect(outcome.bytes).toBeGreaterThan(propertiesLength(17));
    await bucket.close();
  });

  /** Digits that do not compress: a part of 16 MiB must not hold them. */
  const HASH = 32;
  const hashes = (megabytes: number): number => Math.ceil((megabytes * 1024 * 1024) / HASH);
  const propertiesLength = (megabytes: number): number => hashes(megabytes) * HASH + '{"noise":""}'.length;

  async function insertLarge(n: number, megabytes: number): Promise<void> {
    await embedded.warehouse.command({
      sql: `INSERT INTO events (uuid, event, distinct_id, properties, timestamp, created_at, inserted_at, _timestamp, team_id)
            SELECT generateUUIDv4(), 'large', 'user ${n}',
              concat('{"noise":"', arrayStringConcat(arrayMap(x -> hex(sipHash128(x, {n:UInt8})), range({hashes:UInt32}))), '"}'),
              at, at, at, at, {team:Int64}
            FROM (SELECT fromUnixTimestamp64Milli({at:Int64}, 'UTC') AS at)`,
      params: { n, hashes: hashes(megabytes), at: START + 1_000, team },
    });
  }
});

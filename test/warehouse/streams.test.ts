import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createZstdDecompress } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestWarehouse, type TestWarehouse } from '../kit/warehouse.ts';

/** Far more than it takes, for machines with much else to do. */
const SOON = { timeout: 30_000 };

const ROWS = 250_000;
/** Far more than any test reads. */
const ENDLESS = 'SELECT number FROM numbers(100000000000)';

let running: TestWarehouse;
let folder: string;

beforeAll(async () => {
  running = await startTestWarehouse();
  folder = mkdtempSync(join(tmpdir(), 'sluice-streams-'));
  await running.warehouse.command({
    sql: 'CREATE TABLE many (n UInt64, s String) ENGINE = MergeTree ORDER BY n',
  });
  await running.warehouse.command({
    sql: `INSERT INTO many SELECT number, concat('row ', toString(number), ' é') FROM numbers(${ROWS})`,
  });
});
afterAll(async () => {
  await running.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Ids of all that runs, other than the asking query. */
async function listed(): Promise<string[]> {
  const rows = await running.warehouse.rows<{ query_id: string }>({
    sql: "SELECT query_id FROM system.processes WHERE query NOT LIKE '%system.processes%'",
  });
  return rows.map((row) => row.query_id);
}

/**
 * Those that a test gave: for a caller who leaves the client asks for a kill under an id of its own, and sessions are brought
 * in order under none. Either may still be at it.
 */
async function inFlight(): Promise<string[]> {
  const own = /^(kill .*|[0-9a-f]{8}-[0-9a-f-]{27}|)$/;
  return (await listed()).filter((id) => !own.test(id));
}

describe(`${ROWS} rows, complete and unchanged`, () => {
  test.each(['zstd', 'lz4', 'snappy', 'gzip', 'brotli', 'none'])('Parquet, %s', async (compression) => {
    const file = join(folder, `${compression}.parquet`);
    const settings = { output_format_parquet_compression_method: compression };
    await writeFile(
      file,
      await running.warehouse.bytes({ sql: 'SELECT n, s FROM many', format: 'Parquet', settings }),
    );
    expect(await readParquet(file)).toEqual({ rows: ROWS, distinct: ROWS, right: ROWS });
  });

  test.each([undefined, 'gzip', 'br', 'zstd'] as const)('lines, %s', async (compression) => {
    const sql = 'SELECT concat(toString(n), char(9), s) FROM many';
    const stream = await running.warehouse.bytes({
      sql,
      format: 'LineAsString',
      ...(compression ? { compression } : {}),
    });
    const seen = new Uint8Array(ROWS);
    let lines = 0;
    for await (const line of createInterface({ input: unpack(stream, compression) })) {
      const [n = '', s] = line.split('\t');
      if (s === `row ${n} é`) seen[Number(n)] = 1;
      lines++;
    }
    expect({ lines, right: seen.reduce((sum, one) => sum + one, 0) }).toEqual({ lines: ROWS, right: ROWS });
  });

  test('an empty answer is an answer', async () => {
    const { warehouse } = running;
    const parquet = await warehouse.bytes({ sql: 'SELECT n, s FROM many WHERE 0', format: 'Parquet' });
    expect((await parquet.toArray()).map(String).join('')).toMatch(/^PAR1.*PAR1$/s);
    const lines = await warehouse.bytes({ sql: 'SELECT s FROM many WHERE 0', format: 'LineAsString' });
    expect(await lines.toArray()).toEqual([]);
  });
});

async function readParquet(file: string) {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    const result = await connection.runAndReadAll(
      `SELECT count(*)::INT AS rows, count(DISTINCT n)::INT AS distinct,
              count(*) FILTER (s = 'row ' || n || ' é')::INT AS right FROM '${file}'`,
    );
    return result.getRowObjectsJS()[0];
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

function unpack(stream: Readable, compression: 'gzip' | 'br' | 'zstd' | undefined): Readable {
  if (!compression) return stream;
  const unpackers = { gzip: createGunzip, br: createBrotliDecompress, zstd: createZstdDecompress };
  return Readable.from(stream).pipe(unpackers[compression]());
}

describe('a failure in the middle', () => {
  test.each([undefined, 'gzip', 'br', 'zstd'] as const)('never looks complete (%s)', async (compression) => {
    const stream = await running.warehouse.bytes({
      sql: 'SELECT number, sipHash64(number), throwIf(number = 250000) FROM numbers(500000)',
      format: 'JSONEachRow',
      ...(compression ? { compression } : {}),
    });
    let bytes = 0;
    const reading = (async () => {
      for await (const chunk of stream) bytes += (chunk as Buffer).length;
    })();
    await expect(reading).rejects.toMatchObject({
      code: 'warehouse_query',
      message: expect.stringContaining('395'),
    });
    expect(bytes).toBeGreaterThan(0);
  });

  test('before the first byte is told at once', async () => {
    const failing = running.warehouse.bytes({ sql: 'SELECT throwIf(1)', format: 'Parquet' });
    await expect(failing).rejects.toMatchObject({ code: 'warehouse_query' });
  });

  test('out of memory is its own class', async () => {
    const sql = 'SELECT length(groupArray(toString(number))) FROM numbers(1000000000)';
    const settings = { max_memory_usage: 50_000_000 };
    await expect(running.warehouse.rows({ sql, settings })).rejects.toMatchObject({
      code: 'warehouse_memory',
    });
  });
});

describe('stopping', () => {
  test('leaving a stream stops its query', async () => {
    const stream = await running.warehouse.bytes({ sql: ENDLESS, format: 'JSONEachRow', queryId: 'left' });
    await new Promise((resolve) => stream.once('data', resolve));
    expect(await inFlight()).toContain('left');
    stream.destroy();
    await expect.poll(inFlight, SOON).toEqual([]);
  });

  test('so does leaving one that was never read, however full the pipes', async () => {
    const stream = await running.warehouse.bytes({ sql: ENDLESS, format: 'JSONEachRow', queryId: 'unread' });
    expect(await inFlight()).toContain('unread');
    stream.destroy();
    await expect.poll(inFlight, SOON).toEqual([]);
  });

  test('aborting stops a query that has not answered yet, and one that has', async () => {
    const before = new AbortController();
    const silent = 'SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1';
    const waiting = running.warehouse.rows({ sql: silent, queryId: 'silent', signal: before.signal });
    const refused = expect(waiting).rejects.toMatchObject({ code: 'warehouse_cancelled' });
    await expect.poll(inFlight, SOON).toEqual(['silent']);
    before.abort();
    await refused;

    const during = new AbortController();
    const query = { sql: ENDLESS, format: 'JSONEachRow', queryId: 'speaking', signal: during.signal };
    const stream = await running.warehouse.bytes(query);
    const reading = expect(stream.forEach(() => {})).rejects.toMatchObject({ code: 'warehouse_cancelled' });
    during.abort();
    await reading;
    await expect.poll(inFlight, SOON).toEqual([]);
  });

  test('killing by any id resolves when the query is gone, or was never there', async () => {
    const id = "it's */ a \\ strange id";
    const sql = 'SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1';
    const killed = running.warehouse.rows({ sql, queryId: id });
    const refused = expect(killed).rejects.toMatchObject({ code: 'warehouse_cancelled' });
    await expect.poll(inFlight, SOON).toEqual([id]);
    await running.warehouse.kill(id);
    expect(await inFlight()).toEqual([]);
    await refused;
    await running.warehouse.kill('nobody');
  });

  test('a query with parameters stops too, by abort and by its id', async () => {
    const query = {
      sql: 'SELECT count() FROM numbers({rows:UInt64}) WHERE sipHash64(number) = 1',
      params: { rows: 1_000_000_000_000 },
      settings: { log_comment: 'of its own' },
    };
    const stop = new AbortController();
    const aborted = running.warehouse.rows({ ...query, queryId: 'bound', signal: stop.signal });
    const gone = expect(aborted).rejects.toMatchObject({ code: 'warehouse_cancelled' });
    await expect.poll(inFlight, SOON).toEqual(['bound']);
    stop.abort();
    await gone;
    await expect.poll(inFlight, SOON).toEqual([]);

    const killed = expect(running.warehouse.rows({ ...query, queryId: 'bound again' })).rejects.toMatchObject(
      {
        code: 'warehouse_cancelled',
      },
    );
    await expect.poll(inFlight, SOON).toEqual(['bound again']);
    await running.warehouse.kill('bound again');
    await killed;
    expect(await inFlight()).toEqual([]);
  });

  test('twelve callers who leave and kill, again and again: nothing stays behind and no kill waits for ever', async () => {
    const query = {
      sql: 'SELECT count() FROM numbers_mt({rows:UInt64}) WHERE sipHash64(number) = 1',
      params: { rows: 1_000_000_000_000 },
    };
    const leaveAndKill = async (caller: number) => {
      for (let round = 0; round < 15; round++) {
        const queryId = `left ${caller} ${round}`;
        const signal = AbortSignal.timeout(5 + ((round * 7 + caller * 3) % 20));
        const left = running.warehouse.rows({ ...query, queryId, signal });
        await expect(left).rejects.toMatchObject({ code: 'warehouse_cancelled' });
        await running.warehouse.kill(queryId);
      }
    };
    await Promise.all(Array.from({ length: 12 }, (_, caller) => leaveAndKill(caller)));
    expect(await inFlight()).toEqual([]);
    await expect.poll(listed, SOON).toEqual([]);
  });

  test('killing one whose reader does not read', async () => {
    const stream = await running.warehouse.bytes({ sql: ENDLESS, format: 'JSONEachRow', queryId: 'slow' });
    await running.warehouse.kill('slow');
    expect(await inFlight()).toEqual([]);
    await expect(stream.forEach(() => {})).rejects.toMatchObject({ code: 'warehouse_cancelled' });
  });

  test('INSERT … SELECT stops too, and the same id twice is refused', async () => {
    await running.warehouse.command({ sql: 'CREATE TABLE sink (n UInt64) ENGINE = Null' });
    const stop = new AbortController();
    const sql = 'INSERT INTO sink SELECT number FROM numbers(1000000000000)';
    const inserting = running.warehouse.command({ sql, queryId: 'insert', signal: stop.signal });
    const refused = expect(inserting).rejects.toMatchObject({ code: 'warehouse_cancelled' });
    await expect.poll(inFlight, SOON).toEqual(['insert']);
    await expect(running.warehouse.rows({ sql: 'SELECT 1', queryId: 'insert' })).rejects.toMatchObject({
      code: 'warehouse_overloaded',
    });
    stop.abort();
    await refused;
    await expect.poll(inFlight, SOON).toEqual([]);
  });
});

describe('side by side', () => {
  test('30 short queries at once answer, each its own, while a long one streams', async () => {
    const long = await running.warehouse.bytes({ sql: ENDLESS, format: 'JSONEachRow', queryId: 'long' });
    long.resume();
    const answers = await Promise.all(
      Array.from({ length: 300 }, async (_, i) => {
        const [row] = await running.warehouse.rows<{ i: number }>({
          sql: 'SELECT {i:UInt32} AS i',
          params: { i },
        });
        return row?.i;
      }),
    );
    expect(answers).toEqual(Array.from({ length: 300 }, (_, i) => i));
    expect(await inFlight()).toEqual(['long']);
    long.destroy();
    await expect.poll(inFlight, SOON).toEqual([]);
  });
});

import { execFileSync } from 'node:child_process';
import { createWriteStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ImportOptions, type ImportPorts, importFile } from '../../src/capture/import/import.ts';
import { removeDeadStages, signsOfLife } from '../../src/capture/import/leftovers.ts';
import { createStage } from '../../src/capture/import/stage.ts';
import { createStamps } from '../../src/capture/stamps.ts';
import { bulkEvents } from '../../src/demo/bulk.ts';
import { type EmbeddedWarehouse, startEmbeddedWarehouse } from '../../src/warehouse/embedded/start.ts';
import { migrateWarehouse } from '../../src/warehouse/migrate.ts';
import { systemClock } from '../../src/work/clock.ts';

let folder: string;
let engine: EmbeddedWarehouse;
let ports: ImportPorts;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-import-'));
  engine = await startEmbeddedWarehouse({
    dataDir: folder,
    port: 0,
    memory: 2e9,
    log: pino({ level: 'silent' }),
  });
  await migrateWarehouse(engine.warehouse);
  ports = { warehouse: engine.warehouse, clock: systemClock, stamps };
});
afterAll(async () => {
  await engine.close();
  rmSync(folder, { recursive: true, force: true });
});

const stamps = createStamps(systemClock, 0);
let team = 100;

function file(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function run(path: string, teamId: number, more: Partial<ImportOptions> = {}) {
  const options = { teamId, dryRun: false, skipBad: false, onProgress: () => undefined, ...more };
  return importFile(path, options, ports);
}

const rowsOf = (teamId: number, columns = '*') =>
  engine.warehouse.rows<Record<string, string>>({
    sql: `SELECT ${columns} FROM events WHERE team_id = {team:Int64} ORDER BY 1`,
    params: { team: teamId },
  });

const stages = async () => {
  const sql = "SELECT name FROM system.tables WHERE name LIKE 'sluice_import_%'";
  return (await engine.warehouse.rows<{ name: string }>({ sql })).map(({ name }) => name);
};

const UUID = '019af1f0-0000-7000-8000-00000000000a';
const LINE =
  `{"uuid":"${UUID}","event":"e\u2028","distinct_id":"d","timestamp":"2026-03-01 10:00:00.123456",` +
  '"properties":{"big":12345678901234567890,"dup":1,"dup":2},"person_properties":null,"elements_chain":"a:x"}';
const SECOND =
  '{"event":"f","distinct_id":77777777777777777777,"timestamp":"2026-03-02T00:00:00Z","properties":"{\\"a\\": 1}"}';

describe('JSON Lines', () => {
  it.each([
    ['a.jsonl', (text: string) => text],
    ['b.jsonl.gz', (text: string) => gzipSync(text)],
    ['c.jsonl.zst', (text: string) => zstdCompressSync(text)],
    // The first line is a frame of its own, as when files are appended to each other.
    [
      'frames.jsonl.zst',
      (text: string) => {
        const cut = text.indexOf('\n') + 1;
        return Buffer.concat([zstdCompressSync(text.slice(0, cut)), zstdCompressSync(text.slice(cut))]);
      },
    ],
    ['d.jsonl.br', (text: string) => brotliCompressSync(text)],
  ])('%s is read as it was written', async (name, pack) => {
    team++;
    const result = await run(file(name, pack(`\uFEFF${LINE}\r\n\n${SECOND}`)), team);
    expect(result).toEqual({ good: 2, stored: 2, bad: 0, stopped: false, examples: [] });
    const rows = await rowsOf(team);
    expect(rows.find(({ uuid }) => uuid === UUID)).toMatchObject({
      event: 'e\u2028',
      timestamp: '2026-03-01 10:00:00.123456',
      created_at: '2026-03-01 10:00:00.123456',
      properties: '{"big":12345678901234567890,"dup":1,"dup":2}',
      person_properties: '',
      elements_chain: 'a:x',
    });
    expect(rows.find(({ event }) => event === 'f')).toMatchObject({
      distinct_id: '77777777777777777777',
      properties: '{"a": 1}',
      person_properties: '{}',
    });
  });

  it('stores nothing twice: not on repetition, not within a file, with or without ids', async () => {
    team++;
    const path = file('twice.jsonl', [LINE, SECOND, LINE, SECOND].join('\n'));
    expect(await run(path, team)).toMatchObject({ good: 4, stored: 2 });
    expect(await run(path, team)).toMatchObject({ good: 4, stored: 0 });
    expect(await rowsOf(team)).toHaveLength(2);
  });

  it('stores nothing of a file with bad rows, or only the good ones when told so', async () => {
    team++;
    const bad = [
      '{',
      '[]',
      '{"event":"e"}',
      SECOND.replace('2026-03-02T00:00:00Z', 'soon'),
      LINE.replace(UUID, 'x'),
    ];
    const path = file(
      'bad.jsonl',
      [LINE, ...bad, LINE.replace('{"big":12345678901234567890,"dup":1,"dup":2}', '[]'), SECOND].join('\n'),
    );
    const refused = await run(path, team);
    expect(refused).toMatchObject({ good: 2, stored: 0, bad: 6 });
    expect(refused.examples).toEqual([
      { line: 2, reason: 'it is not valid JSON' },
      { line: 3, reason: 'it is not a JSON object' },
      { line: 4, reason: 'it has no distinct_id' },
      { line: 5, reason: 'timestamp is not a time between 1900 and 2255' },
      { line: 6, reason: 'uuid is not a UUID' },
      { line: 7, reason: 'properties is not a JSON object' },
    ]);
    expect(await rowsOf(team)).toEqual([]);
    expect(await run(path, team, { dryRun: true, skipBad: true })).toMatchObject({
      good: 2,
      stored: 0,
      bad: 6,
    });
    expect(await rowsOf(team)).toEqual([]);
    expect(await run(path, team, { skipBad: true })).toMatchObject({ good: 2, stored: 2, bad: 6 });
    expect(await rowsOf(team)).toHaveLength(2);
  });

  it('says so when a file is cut off, and stores nothing of it', async () => {
    team++;
    const whole = gzipSync(
      Array(5000)
        .fill(0)
        .map((_, n) => LINE.replace('"d"', `"d${n}"`))
        .join('\n'),
    );
    const path = file('cut.jsonl.gz', whole.subarray(0, whole.length - 20));
    await expect(run(path, team)).rejects.toMatchObject({ code: 'invalid_input' });
    const frames = Buffer.concat([zstdCompressSync(`${LINE}\n`), zstdCompressSync(SECOND)]);
    const cut = file('cut.jsonl.zst', frames.subarray(0, frames.length - 3));
    await expect(run(cut, team)).rejects.toMatchObject({ code: 'invalid_input' });
    expect(await rowsOf(team)).toEqual([]);
  });

  it('reads times of Parquet as they are, wherever the machine stands', async () => {
    const path = join(folder, 'zoned.parquet');
    const instance = await DuckDBInstance.create(':memory:');
    const connection = await instance.connect();
    await connection.run(
      `COPY (SELECT TIMESTAMPTZ '2026-07-01 12:00:00.000001+00' AS zoned, TIMESTAMP '2026-07-01 12:00:00' AS plain) TO '${path}'`,
    );
    connection.closeSync();
    instance.closeSync();
    const reader = new URL('../../src/capture/import/parquet.ts', import.meta.url);
    const code = `import { parquetRows } from '${reader}';
      for await (const { row } of parquetRows('${path}')) console.log(JSON.stringify(row));`;
    // Of a process, the zone is settled when it starts.
    const read = execFileSync(process.execPath, ['--input-type=module', '-e', code], {
      env: { ...process.env, TZ: 'Europe/Berlin' },
    });
    expect(JSON.parse(String(read))).toEqual({
      zoned: '2026-07-01T12:00:00.000001Z',
      plain: '2026-07-01T12:00:00.000000Z',
    });
  });

  it('stamps rows no earlier than it begins to insert them', async () => {
    team++;
    const before = Date.now() * 1000;
    const early = { next: () => 1, passed: () => {}, newest: () => 1 };
    const path = file('stamped.jsonl', LINE);
    const options = { teamId: team, dryRun: false, skipBad: false, onProgress: () => undefined };
    await importFile(path, options, { ...ports, stamps: early });
    const [row] = await rowsOf(team, 'toUnixTimestamp64Micro(assumeNotNull(inserted_at)) AS arrival');
    expect(Number(row?.arrival)).toBeGreaterThanOrEqual(before);
  });

  it('publishes a large day in slices, each with a stamp of its own', async () => {
    team++;
    const lines = Array.from({ length: 300 }, (_, n) => SECOND.replace('"f"', `"f${n}"`));
    const path = file('slices.jsonl', [...lines, ...lines].join('\n'));
    const options = { teamId: team, dryRun: false, skipBad: false, onProgress: () => undefined };
    const sliced = { ...ports, rowsPerSlice: 100 };
    expect(await importFile(path, options, sliced)).toMatchObject({ good: 600, stored: 300 });
    expect(await importFile(path, options, sliced)).toMatchObject({ good: 600, stored: 0 });
    expect(await rowsOf(team, 'uniqExact(inserted_at) AS stamps, count() AS rows')).toEqual([
      { stamps: '3', rows: '300' },
    ]);
  });

  it('tells how far storing is, in rows of the file', async () => {
    team++;
    const days = [1, 2, 3].map((day) => SECOND.replace('2026-03-02', `2026-03-0${day}`));
    const told: number[][] = [];
    await run(file('days.jsonl', days.join('\n')), team, { onStored: (...now) => void told.push(now) });
    expect(told[0]).toEqual([0, 3, 0]);
    expect(told.at(-1)).toEqual([3, 3, 3]);
    expect(told.map(([rows]) => rows)).toEqual(told.map(([rows]) => rows).toSorted());
    expect(new Set(told.map(([rows]) => rows))).toEqual(new Set([0, 1, 2, 3]));
  });

  it.each([
    ['while it reads', '2026-03-02', 'onProgress', 0],
    ['before it stores', '2026-03-02', 'onStored', 0],
    ['between two days', '2026-03-01', 'onStored', 1],
    ['between two inserts of a day', '2026-03-02', 'onStored', 1],
  ] as const)(
    'stopped %s, says what is stored, and repeated stores the rest',
    async (_, first, when, after) => {
      team++;
      const stop = new AbortController();
      const lines = Array.from({ length: 25_000 }, (__, n) =>
        SECOND.replace('"f"', `"f${n}"`).replace('2026-03-02', n < 10_000 ? first : '2026-03-02'),
      );
      const path = file(`stopped-${team}.jsonl`, lines.join('\n'));
      const told = (stored: number) => {
        if (stored >= after) stop.abort();
      };
      const result = await importFile(
        path,
        {
          teamId: team,
          dryRun: false,
          skipBad: false,
          onProgress: () => when === 'onProgress' && stop.abort(),
          onStored: (__, ___, stored) => told(stored),
          signal: stop.signal,
        },
        { ...ports, rowsPerSlice: 10_000 },
      );
      expect(result.stopped).toBe(true);
      const [row] = await rowsOf(team, 'count() AS rows');
      expect(result.stored).toBe(Number(row?.rows));
      expect(result.stored > 0).toBe(after > 0);
      const again = await run(path, team);
      expect(again).toMatchObject({ good: 25_000, stored: 25_000 - result.stored, stopped: false });
    },
  );

  it('leaves no table behind', async () => {
    expect(await stages()).toEqual([]);
  });

  describe('another import', () => {
    /** A table as a killed import leaves it, whose last sign of life is so many seconds old. */
    const leave = async (name: string, age: number) => {
      const at = Math.floor(Date.now() / 1000) - age;
      const sql = `CREATE OR REPLACE TABLE ${name} ENGINE = MergeTree ORDER BY tuple() COMMENT '${at}' AS SELECT 1 AS x`;
      await engine.warehouse.command({ sql });
    };

    it('removes the tables of those that gave no sign of life for ten minutes', async () => {
      await leave('sluice_import_dead', 700);
      await leave('sluice_import_alive', 500);
      await run(file('after.jsonl', SECOND), ++team);
      expect(await stages()).toEqual(['sluice_import_alive']);
      // So does a server.
      await leave('sluice_import_alive', 700);
      await removeDeadStages(engine.warehouse);
      expect(await stages()).toEqual([]);
    });

    it('leaves that of one at work beside it', async () => {
      const stage = await createStage(engine.warehouse, systemClock);
      await run(file('beside.jsonl', SECOND), ++team);
      expect(await stages()).toEqual([stage.table]);
      await stage.drop();
    });

    it('leaves those that give some, however old they are', async () => {
      await leave('sluice_import_living', 700);
      const told = Promise.withResolvers<void>();
      const signs = await signsOfLife(engine.warehouse, 'sluice_import_living', {
        now: () => 1,
        sleep: (_, signal) => {
          told.resolve();
          return systemClock.sleep(1e9, signal);
        },
      });
      await told.promise;
      await removeDeadStages(engine.warehouse);
      expect(await stages()).toEqual(['sluice_import_living']);
      await signs.stop();
      await engine.warehouse.command({ sql: 'DROP TABLE sluice_import_living' });
    });
  });
});

describe('what the warehouse exports', () => {
  const columns =
    'uuid, event, properties, distinct_id, timestamp, elements_chain, created_at, person_id, person_properties';

  beforeAll(async () => {
    const day = { from: new Date('2026-01-01'), to: new Date('2026-01-03') };
    await engine.warehouse.command(
      bulkEvents({ rows: 25_000, seed: 5, teamId: 1, timestamps: day, arrivals: day }),
    );
  });

  it('is made the same by the same seed, as large and as varied as it says', async () => {
    const [facts] = await rowsOf(
      1,
      `count() AS rows, uniqExact(uuid) AS ids, uniqExact(event) AS events, min(isValidJSON(properties)) AS valid,
       round(avg(length(properties)), -2) AS size, toDate(min(timestamp)) AS first, toDate(max(inserted_at)) AS last,
       countIf("$session_id" != JSONExtractString(properties, '$session_id')) AS wrong`,
    );
    expect(facts).toMatchObject({
      rows: '25000',
      ids: '25000',
      events: '42',
      valid: 1,
      size: 700,
      wrong: '0',
      first: '2026-01-01',
      last: '2026-01-02',
    });
  });

  it.each([
    ['Parquet', 'zstd'],
    ['Parquet', 'snappy'],
    ['Parquet', 'brotli'],
    ['Parquet', 'none'],
    ['JSONEachRow', 'none'],
  ])('comes back from %s (%s) without a difference', async (format, compression) => {
    team++;
    const path = join(folder, `export.${format}.${compression}`);
    const bytes = await engine.warehouse.bytes({
      sql: `SELECT ${columns.replace('uuid', 'toString(uuid) AS uuid').replace('person_id', 'toString(person_id) AS person_id')}
            FROM events WHERE team_id = 1`,
      format,
      settings: { output_format_parquet_compression_method: compression },
    });
    await pipeline(bytes, createWriteStream(path));
    expect(await run(path, team)).toEqual({
      good: 25_000,
      stored: 25_000,
      bad: 0,
      stopped: false,
      examples: [],
    });
    const sums = await engine.warehouse.rows<{ sum: string }>({
      sql: `SELECT sum(cityHash64(${columns})) AS sum FROM events
            WHERE team_id IN (1, {team:Int64}) GROUP BY team_id`,
      params: { team },
    });
    expect(sums).toHaveLength(2);
    expect(sums[0]).toEqual(sums[1]);
  });
});

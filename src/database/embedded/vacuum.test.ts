import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareDatabase } from '../../../test/kit/prepared-database.ts';
import { freezeOldest } from './freeze.ts';
import { openPgliteThread, type PgliteThread } from './pglite-thread.ts';
import { vacuumNeedy } from './vacuum.ts';

describe('vacuuming the embedded database', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'sluice-vacuum-'));
  let pglite: PgliteThread;

  beforeAll(async () => {
    await prepareDatabase(dataDir, 'empty');
    pglite = await openPgliteThread(join(dataDir, 'database'));
    await pglite.exec(`
      create table "Odd ""name" (n int primary key, at int);
      create index on "Odd ""name" (at);
      insert into "Odd ""name" select n, 0 from generate_series(1, 1000) n`);
  });
  afterAll(async () => {
    await pglite.close();
    rmSync(dataDir, { recursive: true });
  });

  const ODD = 'public."Odd ""name"';
  const change = (rows: number) => pglite.query(`update ${ODD} set at = at + 1 where n <= $1`, [rows]);
  const size = async () =>
    (await pglite.query<{ bytes: number }>(`select pg_table_size('${ODD}')::int as bytes`)).rows[0]?.bytes ??
    0;

  it('makes statistics of a new table, once', async () => {
    expect(await vacuumNeedy(pglite)).toContain(ODD);
    expect(await vacuumNeedy(pglite)).toEqual([]);
  });

  it('leaves a table alone of which little has changed', async () => {
    await change(90);
    expect(await vacuumNeedy(pglite)).toEqual([]);
  });

  it('gives the room of dead rows back: a table that changes all the time does not grow', async () => {
    await change(1000);
    expect(await vacuumNeedy(pglite)).toEqual([ODD]);
    const before = await size();
    for (let round = 0; round < 10; round++) {
      await change(1000);
      expect(await vacuumNeedy(pglite)).toEqual([ODD]);
    }
    expect(await size()).toBeLessThanOrEqual(before * 1.5);
  });

  it("keeps Postgres' own tables from growing: each new statistic leaves a dead row", async () => {
    const statistics = async () =>
      (await pglite.query<{ bytes: number }>("select pg_table_size('pg_statistic')::int as bytes")).rows[0]
        ?.bytes ?? 0;
    const before = await statistics();
    for (let round = 0; round < 20; round++) {
      await pglite.exec('update pg_statistic set stanullfrac = stanullfrac');
      expect(await vacuumNeedy(pglite)).toEqual(['pg_catalog.pg_statistic']);
    }
    expect(await statistics()).toBeLessThanOrEqual(before * 3);
  });

  it('forgets transactions of long ago, a table at a time', async () => {
    for (let n = 0; n < 100; n++) await pglite.query('select txid_current()');
    const oldest = async () =>
      (await pglite.query<{ age: number }>('select max(age(datfrozenxid)) as age from pg_database')).rows[0]
        ?.age;
    expect(await oldest()).toBeGreaterThan(100);
    const frozen: string[] = [];
    const told: string[] = [];
    const freeze = () => freezeOldest(pglite, 100, (table) => told.push(table));
    for (let table = await freeze(); table !== null; table = await freeze()) frozen.push(table);
    expect(told).toEqual(frozen);
    expect(frozen).toContain(ODD);
    expect(new Set(frozen).size).toBe(frozen.length);
    expect(await oldest()).toBeLessThanOrEqual(100);
  });
});

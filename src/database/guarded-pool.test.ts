import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Postgres, startPostgres } from '../../test/kit/postgres.ts';
import { startProxy } from '../../test/kit/proxy/proxy.ts';
import { openDatabase } from './database.ts';
import { guardedPool } from './guarded-pool.ts';

let postgres: Postgres;
let db: Kysely<unknown>;
const lost: Error[] = [];
beforeAll(async () => {
  postgres = await startPostgres();
  const pool = new pg.Pool({ connectionString: postgres.url, max: 2 });
  const guarded = guardedPool(pool, (error) => void lost.push(error), 30_000);
  db = new Kysely({ dialect: new PostgresDialect({ pool: guarded }) });
});
afterAll(async () => {
  await db?.destroy();
  await postgres?.stop();
});

const one = () => sql<{ one: number }>`select 1 as one`.execute(db);

it('a statement that is wrong throws what Postgres says', async () => {
  await expect(sql`select nothing`.execute(db)).rejects.toMatchObject({ code: '42703' });
  expect((await one()).rows).toEqual([{ one: 1 }]);
});

it('a server that takes no changes is unavailable, and its connections are not kept for when there is one that does', async () => {
  const url = await postgres.createDatabase();
  const name = new URL(url).pathname.slice(1);
  const pool = new pg.Pool({ connectionString: url, max: 2 });
  const dialect = new PostgresDialect({ pool: guardedPool(pool, () => {}, 30_000) });
  const failedOver = new Kysely<unknown>({ dialect });
  await sql`create table t (n int)`.execute(failedOver);
  await pool.query(`alter database ${name} set default_transaction_read_only = on`);
  await Promise.all(
    (await Promise.all([pool.connect(), pool.connect()])).map((client) => client.release(true)),
  );

  const change = (on: Kysely<unknown>) => sql`insert into t values (1)`.execute(on);
  const inTransaction = () => failedOver.transaction().execute(change);
  const refused = {
    code: 'database_unavailable',
    kind: 'retry',
    message: expect.stringContaining('takes no changes'),
  };
  await expect(change(failedOver)).rejects.toMatchObject(refused);
  await expect(inTransaction()).rejects.toMatchObject({ code: 'database_unavailable' });
  await Promise.all(
    [change(failedOver), change(failedOver)].map((one) => expect(one).rejects.toMatchObject(refused)),
  );
  await sql`alter database ${sql.raw(name)} reset default_transaction_read_only`.execute(db);
  await change(failedOver);
  await inTransaction();
  expect((await sql`select n from t`.execute(failedOver)).rows).toHaveLength(2);
  await failedOver.destroy();
});

it.each(['57014', '55P03', '40001', '40P01'])(
  'what ends with SQLSTATE %s may be tried again, on the same connection',
  async (state) => {
    await db.connection().execute(async (connection) => {
      const raise = sql.raw(`do $$ begin raise exception 'raised' using errcode = '${state}'; end $$`);
      await expect(raise.execute(connection)).rejects.toMatchObject({
        code: 'database_unavailable',
        kind: 'retry',
      });
      expect((await sql`select 1 as one`.execute(connection)).rows).toEqual([{ one: 1 }]);
    });
  },
);

it('a server that goes away in the middle of a transaction is unavailable, and used again when it is back', async () => {
  const transaction = db.transaction().execute(async (trx) => {
    await sql`select 1`.execute(trx);
    await postgres.kill();
    await sql`select 1`.execute(trx);
  });
  await expect(transaction).rejects.toMatchObject({ code: 'database_unavailable' });
  await expect(one()).rejects.toMatchObject({ code: 'database_unavailable' });
  expect(lost.length).toBeGreaterThan(0);
  await postgres.restart();
  expect((await one()).rows).toEqual([{ one: 1 }]);
});

it('a server that goes away during a statement is unavailable', async () => {
  const sleeping = sql`select pg_sleep(60)`.execute(db);
  const began = async () =>
    (
      await sql<{
        n: number;
      }>`select count(*)::int as n from pg_stat_activity where query like 'select pg_sleep%' and state = 'active'`.execute(
        db,
      )
    ).rows[0]?.n;
  const failed = expect(sleeping).rejects.toMatchObject({ code: 'database_unavailable' });
  await expect.poll(began).toBe(1);
  await postgres.kill();
  await failed;
  await postgres.restart();
});

it('a connection with nobody at its other end: noticed in time, replaced, and its locks are let go of', async () => {
  const url = await postgres.createDatabase();
  const proxy = await startProxy({ host: '127.0.0.1', port: postgres.port }, () => 0.5);
  const open = (address: string) => openDatabase({ url: address, dataDir: '/nowhere', timeoutMs: 1_000 });
  const [near, far] = [await open(url), await open(proxy.through(url))];
  const lock = (db: typeof near.kysely) => sql`select 1 from instance for update`.execute(db);
  await sql`insert into instance (key, value) values ('locked', '1')`.execute(near.kysely);
  const began = performance.now();
  const vanished = far.kysely.transaction().execute(async (trx) => {
    await lock(trx);
    proxy.strike({ kind: 'halfOpen' });
    await lock(trx);
  });
  await expect(vanished).rejects.toMatchObject({ code: 'database_unavailable' });
  // The rollback does not wait a second time, and a new connection is tried for as long as a statement.
  await expect(lock(far.kysely)).rejects.toMatchObject({ code: 'database_unavailable' });
  expect(performance.now() - began).toBeLessThan(8_000);
  proxy.clear();
  await expect
    .poll(() => lock(near.kysely), { timeout: 20_000 })
    .toMatchObject({ rows: [expect.anything()] });
  await expect.poll(() => lock(far.kysely), { timeout: 20_000 }).toMatchObject({ rows: [expect.anything()] });
  await Promise.all([near.close(), far.close()]);
  await proxy.stop();
});

it('a statement that is given up does not go on in the server; a migration takes as long as it needs', async () => {
  const url = await postgres.createDatabase();
  const near = new pg.Client(url);
  await near.connect();
  // The lock of `migrate.ts`: whoever migrates waits for it longer than a statement may take.
  await near.query('begin; select pg_advisory_xact_lock(7583320201)');
  const opening = openDatabase({ url, dataDir: '/nowhere', timeoutMs: 500 });
  const waiting = async () =>
    (await near.query("select from pg_locks where locktype = 'advisory' and not granted")).rowCount;
  await expect.poll(waiting).toBe(1);
  await near.query('select pg_sleep(0.6); commit');
  const far = await opening;
  const given = sql`select pg_sleep(60)`.execute(far.kysely);
  await expect(given).rejects.toMatchObject({ code: 'database_unavailable' });
  const running = async () =>
    (
      await near.query(
        "select from pg_stat_activity where query like 'select pg_sleep(60%' and state = 'active'",
      )
    ).rowCount;
  await expect.poll(running).toBe(0);
  await Promise.all([near.end(), far.close()]);
});

import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Postgres, startPostgres } from '../../test/kit/postgres.ts';
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

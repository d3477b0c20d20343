import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Postgres, startPostgres } from '../../test/kit/postgres.ts';
import { silent, startTestWarehouse, type TestWarehouse } from '../../test/kit/warehouse.ts';
import { type Database, openDatabase } from '../database/database.ts';
import { checkSharedWarehouse } from './shared-warehouse.ts';

let postgres: Postgres;
let running: TestWarehouse;
let database: Database;
beforeAll(async () => {
  [postgres, running] = await Promise.all([startPostgres(), startTestWarehouse()]);
  database = await openDatabase({ url: await postgres.createDatabase(), dataDir: '/nowhere' });
});
afterAll(async () => {
  await database?.close();
  await Promise.all([postgres?.stop(), running?.close()]);
});

const check = (acceptWarehouse = false) =>
  checkSharedWarehouse(database.kysely, running.warehouse, { acceptWarehouse }, silent);
const remembered = () => database.kysely.selectFrom('instance').select('key').execute();
const forget = () => database.kysely.deleteFrom('instance').execute();

/** The last run of an older version ended so. */
async function endRun(status: string, rows: number): Promise<void> {
  const id = '00000000-0000-4000-8000-000000000001';
  await sql`
    with o as (insert into organizations values (${id}, 'O', now()) on conflict do nothing),
         p as (insert into projects (id, organization_id, name, api_token, created_at)
                 overriding system value values (1, ${id}, 'P', 'phc_', now()) on conflict do nothing),
         e as (insert into batch_exports (id, team_id, name, model, destination_type, destination_config, "interval",
                 next_interval_start, created_at, last_updated_at)
                 values (${id}, 1, 'E', 'events', 'Filesystem', '{}', 'hour', now(), now(), now()) on conflict do nothing)
    insert into batch_export_runs (id, team_id, batch_export_id, status, records_completed, data_interval_end, snapshot,
      created_at, last_updated_at)
    values (gen_random_uuid(), 1, ${id}, ${status}, ${rows}, now(), '{}', now(), now())`.execute(
    database.kysely,
  );
}

it('where none is remembered and runs have exported events, a warehouse without any is refused', async () => {
  await check();
  expect(await remembered()).toHaveLength(1);
  await forget();
  await endRun('Completed', 0);
  await endRun('Failed', 5);
  await check();
  await forget();

  await endRun('Completed', 5);
  await expect(check()).rejects.toMatchObject({
    code: 'bad_configuration',
    message: expect.stringMatching(/without any event.*CLICKHOUSE_URL.*SLUICE_ACCEPT/),
  });
  // The right one is still to come.
  expect(await remembered()).toEqual([]);
  await check(true);
  await check();
  await forget();

  await running.warehouse.command({
    sql: `INSERT INTO events (uuid, event, team_id, distinct_id, timestamp) SELECT generateUUIDv4(), 'e', 1, 'd', now()`,
  });
  await check();
});

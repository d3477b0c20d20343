import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { connectWarehouse } from '../../src/warehouse/client.ts';
import { migrateWarehouse } from '../../src/warehouse/migrate.ts';
import { startTestWarehouse, type TestWarehouse } from '../kit/warehouse.ts';

let running: TestWarehouse;
beforeAll(async () => {
  running = await startTestWarehouse();
});
afterAll(() => running.close());
beforeEach(async () => {
  for (const table of await tables()) await running.warehouse.command({ sql: `DROP TABLE ${table} SYNC` });
  await migrateWarehouse(running.warehouse);
});

const tables = async (): Promise<string[]> => {
  const sql = 'SELECT name FROM system.tables WHERE database = currentDatabase() ORDER BY name';
  return (await running.warehouse.rows<{ name: string }>({ sql })).map((row) => row.name);
};

test('makes the tables once, and again changes nothing', async () => {
  const made = await tables();
  expect(made).toEqual([
    'app_metrics',
    'app_metrics2',
    'events',
    'log_entries',
    'person',
    'person_distinct_id2',
    'sluice_migrations',
  ]);
  await migrateWarehouse(running.warehouse);
  expect(await tables()).toEqual(made);
});

test('leaves a warehouse alone that somebody else made', async () => {
  await running.warehouse.command({ sql: 'DROP TABLE sluice_migrations' });
  const theirs = await tables();
  await migrateWarehouse(running.warehouse);
  expect(await tables()).toEqual(theirs);
});

/** How often an insert of one event waits for the disk. */
async function syncs(): Promise<number> {
  const { warehouse } = running;
  const count = async () => {
    const sql = "SELECT value FROM system.events WHERE event = 'FileSync'";
    return Number((await warehouse.rows<{ value: string }>({ sql }))[0]?.value ?? 0);
  };
  const before = await count();
  await warehouse.insert({ table: 'events', format: 'JSONEachRow', body: Buffer.from('{"event":"e"}') });
  return (await count()) - before;
}

test('an event is on the disk before it is acknowledged, also in a table of an older version', async () => {
  expect(await syncs()).toBeGreaterThan(0);
  const { warehouse } = running;
  await warehouse.command({
    sql: 'ALTER TABLE events RESET SETTING fsync_after_insert, fsync_part_directory',
  });
  await warehouse.command({ sql: "DELETE FROM sluice_migrations WHERE name >= '0004'" });
  expect(await syncs()).toBe(0);
  const server = connectWarehouse({ url: running.url, localFiles: false });
  await migrateWarehouse(server);
  await server.close();
  expect(await syncs()).toBe(0);
  await migrateWarehouse(warehouse);
  expect(await syncs()).toBeGreaterThan(0);
});

test('goes on where a crash stopped it', async () => {
  const made = await tables();
  await running.warehouse.command({ sql: 'DROP TABLE person' });
  await running.warehouse.command({ sql: "DELETE FROM sluice_migrations WHERE name >= '0002'" });
  await migrateWarehouse(running.warehouse);
  expect(await tables()).toEqual(made);
});

test('refuses a warehouse of a newer Sluice', async () => {
  const sql = "INSERT INTO sluice_migrations (name) VALUES ('9999_future.sql')";
  await running.warehouse.command({ sql });
  await expect(migrateWarehouse(running.warehouse)).rejects.toThrow('9999_future.sql');
});

test('without leave to update, refuses what an older Sluice made, and makes what is not there', async () => {
  const made = await tables();
  await migrateWarehouse(running.warehouse, false);
  await running.warehouse.command({ sql: 'DROP TABLE person' });
  await running.warehouse.command({ sql: "DELETE FROM sluice_migrations WHERE name >= '0002'" });
  await expect(migrateWarehouse(running.warehouse, false)).rejects.toMatchObject({
    code: 'made_by_older',
    message: expect.stringContaining('0002_persons.sql'),
  });
  expect(await tables()).not.toContain('person');
  for (const table of await tables()) await running.warehouse.command({ sql: `DROP TABLE ${table} SYNC` });
  await migrateWarehouse(running.warehouse, false);
  expect(await tables()).toEqual(made);
});

test('an event gets its arrival time and its materialised columns', async () => {
  const event = {
    uuid: '0190a4c1-0000-7000-8000-000000000001',
    event: '$pageview',
    properties: JSON.stringify({ $session_id: 's1', $window_id: 'w1', $group_0: 'acme' }),
    timestamp: '2026-01-01 00:00:00.123456',
    team_id: 1,
    distinct_id: 'd1',
  };
  const body = Buffer.from(JSON.stringify(event));
  await running.warehouse.insert({ table: 'events', format: 'JSONEachRow', body });
  const [row] = await running.warehouse.rows({
    sql: `SELECT toString(timestamp) AS timestamp, inserted_at > now() - 60 AS arrived, _timestamp > now() - 60 AS stamped,
                 \`$session_id\` AS session, \`$window_id\` AS window, \`$group_0\` AS group FROM events`,
  });
  expect(row).toEqual({
    timestamp: '2026-01-01 00:00:00.123456',
    arrived: 1,
    stamped: 1,
    session: 's1',
    window: 'w1',
    group: 'acme',
  });
});

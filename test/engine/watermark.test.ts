import { afterAll, beforeAll, expect, it } from 'vitest';
import { arrivalWatermark, type WatermarkPorts } from '../../src/export/watermark.ts';
import { connectWarehouse } from '../../src/warehouse/client.ts';
import { startTestWarehouse, type TestWarehouse } from '../kit/warehouse.ts';

const NOW = Date.UTC(2026, 2, 1);
let embedded: TestWarehouse;
beforeAll(async () => {
  embedded = await startTestWarehouse();
  for (const sql of [
    'CREATE DATABASE other',
    'CREATE DATABASE events',
    ...['events_copy', 'writable_events', 'other.sharded_events', 'events.other'].map(
      (table) => `CREATE TABLE ${table} (n UInt64) ENGINE = Null`,
    ),
  ]) {
    await embedded.warehouse.command({ sql });
  }
});
afterAll(() => embedded.close());

const watermark = (warehouse: WatermarkPorts['warehouse'] = embedded.warehouse) =>
  arrivalWatermark({
    warehouse,
    clock: { now: () => NOW, sleep: async () => {} },
    settleMs: 5_000,
    oldestInFlight: () => null,
  });

/** While a statement that inserts without end runs. */
async function during(into: string, look: () => Promise<void>): Promise<void> {
  const stop = new AbortController();
  const sql = `${into} SELECT number FROM numbers(1000000000000) WHERE sipHash64(number, 'events') = 1`;
  const inserting = embedded.warehouse.command({ sql, queryId: 'endless', signal: stop.signal });
  const stopped = expect(inserting).rejects.toMatchObject({ code: 'warehouse_cancelled' });
  const started = async () =>
    embedded.warehouse.rows({
      sql: "SELECT 1 FROM system.processes WHERE query_id = 'endless' AND elapsed > 0.01",
    });
  await expect.poll(started, { timeout: 30_000 }).toHaveLength(1);
  await look();
  stop.abort();
  await stopped;
}

it('is behind the clock by the settle delay', async () => {
  expect(await watermark()).toBe(NOW - 5_000);
});

it('is the same on a server whose events are not replicated', async () => {
  const server = connectWarehouse({ url: embedded.url, localFiles: false });
  expect(await watermark(server)).toBe(NOW - 5_000);
  await server.close();
});

it.each([
  'INSERT INTO events (team_id)',
  'insert into\n table `events`(`team_id`)',
  '/* nightly */ INSERT /* of */ INTO "other"."sharded_events"',
  'INSERT INTO default.writable_events',
  'WITH 1 AS one INSERT INTO events (team_id)',
])('is held back by an insert under way, of whichever process: %j', async (into) => {
  await during(into, async () => {
    expect(await watermark()).toBeLessThan(NOW - 5_000);
  });
});

it.each([
  'INSERT INTO events_copy',
  'INSERT INTO events.other',
  "INSERT INTO FUNCTION null('n UInt64')",
  "insert into\n table function null('n UInt64')",
])('is not held back by what is written elsewhere, whatever it reads: %j', async (into) => {
  await during(into, async () => {
    expect(await watermark()).toBe(NOW - 5_000);
  });
});

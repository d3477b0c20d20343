import { afterAll, beforeAll, expect, it } from 'vitest';
import { newestStamp, newestStampAhead } from '../../src/capture/stamps.ts';
import { startTestWarehouse, type TestWarehouse } from '../kit/warehouse.ts';

const NOW = Date.UTC(2026, 2, 10);
const HOUR = 3_600_000;
let running: TestWarehouse;
beforeAll(async () => {
  running = await startTestWarehouse();
});
afterAll(() => running?.close());

const store = (at: number) =>
  running.warehouse.command({
    sql: `INSERT INTO events (uuid, team_id, inserted_at)
          SELECT generateUUIDv4(), 1, fromUnixTimestamp64Milli({at:Int64}, 'UTC')`,
    params: { at },
  });
const newest = () => newestStamp(running.warehouse, { now: () => NOW });

it('the newest stamp is looked for where the clock may have been set back to, not in all of the past', async () => {
  expect(await newest()).toBe(0);
  await store(NOW - 49 * HOUR);
  expect(await newest()).toBe(0);
  await store(NOW - 47 * HOUR);
  expect(await newest()).toBe((NOW - 47 * HOUR) * 1000);
  await store(NOW + 23 * HOUR);
  expect(await newestStampAhead(running.warehouse, { now: () => NOW })).toBe(0);
  await store(NOW + 25 * HOUR);
  expect(await newestStampAhead(running.warehouse, { now: () => NOW })).toBe((NOW + 25 * HOUR) * 1000);
  expect(await newest()).toBe((NOW + 23 * HOUR) * 1000);
});

import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createArrivedBefore } from '../../src/capture/arrived-before.ts';
import { createStamps } from '../../src/capture/stamps.ts';
import { SluiceError } from '../../src/errors/error.ts';
import { startTestWarehouse, type TestWarehouse } from '../kit/warehouse.ts';

/** What an export that is asked for at noon takes, by arrival, when stamps are ahead of the clock. */
const NOON = Date.UTC(2026, 2, 10, 12);
const HOUR = 3_600_000;
const TEAM = 1;
let running: TestWarehouse;
let now: number;
beforeAll(async () => {
  running = await startTestWarehouse();
});
afterAll(() => running?.close());
beforeEach(async () => {
  now = NOON;
  await running.warehouse.command({ sql: 'TRUNCATE TABLE events' });
});

const clock = { now: () => now };
const store = (teamId: number, micros: number) =>
  running.warehouse.command({
    sql: `INSERT INTO events (uuid, team_id, inserted_at)
          SELECT generateUUIDv4(), {team_id:Int64}, fromUnixTimestamp64Micro({micros:Int64}, 'UTC')`,
    params: { team_id: teamId, micros },
  });
const bound = (
  stamps = createStamps(clock, 0),
  warehouse: Pick<TestWarehouse['warehouse'], 'rows'> = running.warehouse,
) => createArrivedBefore({ clock, stamps, warehouse })(TEAM);

it('is the millisecond after now when nothing is ahead of the clock', async () => {
  await store(TEAM, (NOON - 1) * 1000);
  const stamps = createStamps(clock, (NOON - HOUR) * 1000);
  stamps.next();
  expect(await bound(stamps)).toBe(NOON + 1);
});

it('is after what this process has stamped before the clock was set back, but not after what others have read', async () => {
  const stamps = createStamps(clock, 0);
  stamps.next();
  stamps.next();
  now = NOON - HOUR;
  stamps.passed(NOON + HOUR);
  expect(await bound(stamps)).toBe(NOON + 1);
  // A start: what is stored is what was stamped.
  expect(await bound(createStamps(clock, NOON * 1000 + 1_500))).toBe(NOON + 2);
});

it('is after what another process that is ahead has stored of the project', async () => {
  await store(TEAM, (NOON + 5_000) * 1000 + 999);
  await store(TEAM + 1, (NOON + 60_000) * 1000);
  expect(await bound()).toBe(NOON + 5_001);
});

it('waits for no day that a wrong clock told', async () => {
  await store(TEAM, (NOON + 25 * HOUR) * 1000);
  expect(await bound(createStamps(clock, (NOON + 25 * HOUR) * 1000))).toBe(NOON + 1);
});

it('goes by its own stamps while the warehouse is away', async () => {
  const away = { rows: () => Promise.reject(new SluiceError('warehouse_unavailable')) };
  const stamps = createStamps(clock, (NOON + HOUR) * 1000);
  expect(await bound(stamps, away)).toBe(NOON + HOUR + 1);
});

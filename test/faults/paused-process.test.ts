import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type Postgres, startPostgres } from '../kit/postgres.ts';
import { type RunningSluice, startSluice } from '../kit/sluice.ts';
import { startTestWarehouse, type TestWarehouse } from '../kit/warehouse.ts';
import { createExport, expectDelivered, startBackfill, untilEnded } from './check.ts';
import { type BucketPlace, openBucketPlace } from './destinations.ts';
import { makeEvents, type Range, send } from './events.ts';
import { LONG, seeded } from './random.ts';

/**
 * anchors.md D.3, row 6: a process stands still in the middle of a run (SIGSTOP), loses it to another and comes back. The
 * other's outcome counts; the one that comes back publishes nothing and leaves nothing.
 */
const TURNS = LONG ? 20 : 1;
const start = new Date(Math.floor(Date.now() / 86_400_000 - 1) * 86_400_000);
const range: Range = { start, end: new Date(start.getTime() + 3_600_000) };
const events = makeEvents(500, range, 400, seeded(5));

let postgres: Postgres;
let warehouse: TestWarehouse;
let bucket: BucketPlace;
let first: RunningSluice;
let second: RunningSluice | undefined;
let env: Record<string, string>;

beforeAll(async () => {
  [postgres, warehouse] = await Promise.all([startPostgres(), startTestWarehouse()]);
  env = {
    DATABASE_URL: await postgres.createDatabase(),
    CLICKHOUSE_URL: warehouse.url,
    SLUICE_SECRET_KEY: 'a secret of more than thirty-two bytes, for tests',
    SLUICE_SETTLE_SECONDS: '0',
  };
  first = await startSluice({ env });
  bucket = await openBucketPlace(first);
  await send(first.ready, events);
});
afterAll(async () => {
  first?.process.kill('SIGCONT');
  await Promise.all([first?.stop(), second?.stop()]);
  await bucket?.close();
  await warehouse?.close();
  await postgres?.stop();
});

it('a process that comes back from standing still does not touch what another finished', {
  timeout: 60_000 * TURNS,
}, async () => {
  for (let turn = 0; turn < TURNS; turn++) {
    const prefix = `turn-${turn}`;
    const id = await createExport(
      first,
      bucket.destination(prefix, { file_format: 'JSONLines', max_file_size_mb: 1 }),
    );
    const hung = bucket.server.faults.add({ match: { operation: 'UploadPart' }, action: { hang: true } });
    await startBackfill(first, id, range);
    await vi.waitFor(() => expect(hung.struck).toBe(1), { timeout: 20_000, interval: 20 });
    first.process.kill('SIGSTOP');
    second = await startSluice({ env });
    const runs = await untilEnded(second, id, 40_000);
    expect(runs.map(({ status }) => status)).toEqual(['Completed']);
    first.process.kill('SIGCONT');
    bucket.server.faults.clear();
    // Once it notices that the run is lost, it lets go of what hangs and takes new work again.
    await second.stop();
    const another = await createExport(
      first,
      bucket.destination(`${prefix}-after`, { file_format: 'JSONLines', max_file_size_mb: 1 }),
    );
    await startBackfill(first, another, range);
    const after = await untilEnded(first, another, 60_000);
    const uuids = events.map(({ uuid }) => uuid);
    await expectDelivered(bucket, `${prefix}-after`, after, uuids);
    await vi.waitFor(() => expectDelivered(bucket, prefix, runs, uuids), { timeout: 30_000, interval: 500 });
  }
});

import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { finishRun } from '../../src/batch-exports/runs/finish.ts';
import { claimRun } from '../../src/batch-exports/runs/store.ts';
import { NO_OUTCOME } from '../../src/export/outcome.ts';
import { type ServedBench, serveBench } from './batch-exports-kit.ts';

/** Which backfills a tick moves on, when there are more than it looks at. */
let bench: ServedBench;
beforeAll(async () => {
  bench = await serveBench({ maxBackfills: 100 });
});
afterAll(() => bench.close());
beforeEach(async () => {
  for (const table of ['batch_export_backfills', 'batch_export_runs'] as const) {
    await bench.db.updateTable(table).set({ status: 'Cancelled' }).execute();
  }
  await bench.db.updateTable('batch_exports').set({ next_due_at: null }).execute();
  bench.clock.set('2026-03-10T10:20:00Z');
});

async function backfill(id: string, from: number, hours: number): Promise<void> {
  const at = (hour: number) => new Date(Date.parse('2026-03-01T00:00:00Z') + hour * 3_600_000).toISOString();
  const range = { start_at: at(from), end_at: at(from + hours) };
  expect((await bench.call('POST', `batch_exports/${id}/backfills/`, range)).status).toBe(201);
  bench.clock.advance(1000);
}

const activeRuns = (id: string) =>
  bench.db
    .selectFrom('batch_export_runs')
    .select(['id', 'data_interval_start as start'])
    .where('batch_export_id', '=', id)
    .where('status', '=', 'Starting')
    .orderBy('id')
    .execute();

async function complete(runId: string): Promise<void> {
  const now = bench.clock.now();
  const claim = await claimRun(bench.db, { runId, worker: 'w', now });
  if (!claim) throw new Error('nothing to claim');
  await finishRun(bench.ports, claim, { status: 'Completed', outcome: NO_OUTCOME });
}

/** Backfills that have waited longest and cannot move; `make` is called for an export. */
const STUCK: readonly (readonly [string, (id: string) => Promise<void>])[] = [
  [
    'repeated runs that are at work',
    async (id) => {
      await backfill(id, 100, 2);
      for (const run of await activeRuns(id)) {
        await complete(run.id);
        const path = `batch_exports/${id}/runs/${run.id}/retry`;
        expect((await bench.call('POST', path)).status).toBe(201);
      }
    },
  ],
  ['backfills whose last run is at work', (id) => backfill(id, 100, 1)],
  [
    'backfills of an export that has no room',
    async (id) => {
      await backfill(id, 100, 5);
      await backfill(id, 200, 5);
    },
  ],
];

it.each(STUCK)('%s do not keep one that can move from it', async (_, make) => {
  for (let n = 0; n < 2; n++) await make((await bench.create()).id);
  const { id } = await bench.create();
  await backfill(id, 0, 2);
  await backfill(id, 10, 3);
  for (const run of await activeRuns(id)) await complete(run.id);
  // What ended moved its own backfill on; the other waits for the tick.
  expect(await activeRuns(id)).toEqual([]);
  await bench.feature.tick(1);
  expect((await activeRuns(id)).map(({ start }) => start?.toISOString())).toEqual([
    '2026-03-01T10:00:00.000Z',
    '2026-03-01T11:00:00.000Z',
  ]);
});

it('one whose run ended without a word moves on, or ends', async () => {
  const { id } = await bench.create();
  await backfill(id, 0, 3);
  await bench.db.updateTable('batch_export_runs').set({ status: 'Failed' }).execute();
  await bench.feature.tick(1);
  expect(await activeRuns(id)).toHaveLength(1);
  await bench.db.updateTable('batch_export_runs').set({ status: 'Failed' }).execute();
  await bench.feature.tick(1);
  const { status } = await bench.db
    .selectFrom('batch_export_backfills')
    .select('status')
    .where('batch_export_id', '=', id)
    .executeTakeFirstOrThrow();
  expect(status).toBe('Completed');
});

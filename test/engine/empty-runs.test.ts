import { afterAll, beforeAll, expect, it } from 'vitest';
import { endEmptyRuns } from '../../src/batch-exports/runs/empty.ts';
import { claimRun } from '../../src/batch-exports/runs/store.ts';
import { bulkEvents } from '../../src/demo/bulk.ts';
import { type Bench, openBench } from '../contract/batch-exports-kit.ts';
import { startTestWarehouse, type TestWarehouse } from '../kit/warehouse.ts';

const NINE = new Date('2026-03-01T09:00:00Z');
const TEN = new Date('2026-03-01T10:00:00Z');
const ELEVEN = new Date('2026-03-01T11:00:00Z');
const EXPORTS = 12;

let bench: Bench;
let warehouse: TestWarehouse;
beforeAll(async () => {
  [bench, warehouse] = await Promise.all([openBench(), startTestWarehouse()]);
  const now = new Date(bench.clock.now());
  await bench.db
    .insertInto('batch_exports')
    .values(
      Array.from({ length: EXPORTS }, (_, n) => ({
        id: bench.ports.newId(),
        team_id: bench.teamId,
        name: `export ${n}`,
        model: n === 0 ? 'persons' : 'events',
        destination_type: 'Filesystem',
        destination_config: JSON.stringify({ prefix: 'x', file_format: 'JSONLines', compression: null }),
        interval: 'hour',
        next_interval_start: NINE,
        next_due_at: TEN,
        created_at: now,
        last_updated_at: now,
      })),
    )
    .execute();
  const hour = { from: NINE, to: TEN };
  await warehouse.warehouse.command(
    bulkEvents({ rows: 5, seed: 1, teamId: bench.teamId, timestamps: hour, arrivals: hour }),
  );
});
afterAll(async () => {
  await warehouse?.close();
  await bench?.close();
});

const look = (reached: number, after: string | null = null) =>
  endEmptyRuns(
    {
      ...bench.ports,
      warehouse: warehouse.warehouse,
      workerName: 'test',
      watermark: async () => reached,
    },
    after,
  );
const runs = () => bench.db.selectFrom('batch_export_runs').selectAll().orderBy('id').execute();

it('ends the runs without events, and leaves alone what has events, is not readable or was touched', async () => {
  bench.clock.set('2026-03-01T11:30:00Z');
  await bench.feature.tick(100);
  expect(await runs()).toHaveLength(2 * EXPORTS);

  expect(await look(TEN.getTime() - 1)).toEqual({ ended: 0, last: null, more: false });
  const later = (await runs()).filter(
    (run) => run.data_interval_end.getTime() === ELEVEN.getTime() && run.snapshot.model === 'events',
  );
  const [claimed] = later.slice(-1);
  await claimRun(bench.db, { runId: claimed?.id ?? '', worker: 'other', now: bench.clock.now() });

  // Runs of export 0 are no events; of the other eleven, one is claimed.
  expect((await look(ELEVEN.getTime())).ended).toBe(EXPORTS - 2);
  const after = await runs();
  const ended = after.filter(({ status }) => status === 'Completed');
  expect(ended).toHaveLength(EXPORTS - 2);
  for (const run of ended) {
    expect(run).toMatchObject({
      data_interval_end: ELEVEN,
      attempt: 1,
      records_completed: 0,
      records_total_count: 0,
      files: [],
      region: { arrivalFrom: TEN.getTime(), arrivalTo: ELEVEN.getTime(), eventFrom: null, eventTo: null },
      excludes: [],
      proof: { source: { rows: 0 }, reread: { rows: 0 } },
    });
    expect(run.finished_at?.getTime()).toBe(bench.clock.now());
    expect(await claimRun(bench.db, { runId: run.id, worker: 'w', now: bench.clock.now() })).toBeNull();
  }
  expect(after.filter(({ status }) => status === 'Starting')).toHaveLength(EXPORTS + 1);

  const { last } = await look(ELEVEN.getTime());
  expect(await look(ELEVEN.getTime(), last)).toEqual({ ended: 0, last, more: false });
});

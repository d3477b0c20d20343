import { afterAll, beforeAll, expect, it } from 'vitest';
import { openCountsAhead } from '../../src/batch-exports/runs/counts-ahead.ts';
import { finishRun } from '../../src/batch-exports/runs/finish.ts';
import { fixPlan } from '../../src/batch-exports/runs/plan.ts';
import { type ClaimedRun, claimRun } from '../../src/batch-exports/runs/store.ts';
import { NO_ROWS, tallyColumns, tallyOf } from '../../src/export/fingerprint.ts';
import { NO_OUTCOME } from '../../src/export/outcome.ts';
import type { RunSpec, Tally } from '../../src/export/spec.ts';
import type { Warehouse } from '../../src/warehouse/warehouse.ts';
import { type ServedBench, serveBench } from '../contract/batch-exports-kit.ts';
import { startTestWarehouse, type TestWarehouse } from '../kit/warehouse.ts';
import { eventRow, HOUR, insertEvents, liveSpec } from './fixture.ts';

/** One scan for many small intervals of a backfill finds in each exactly what a count of its own would find. */
const FIRST = Date.parse('2026-03-01T00:00:00Z');
const ASKED = Date.parse('2026-03-10T10:20:00Z');
let bench: ServedBench;
let embedded: TestWarehouse;
let queries = 0;
let warehouse: Warehouse;
beforeAll(async () => {
  [bench, embedded] = await Promise.all([
    serveBench({ backfillParallelism: 50, maxBackfills: 50 }),
    startTestWarehouse(),
  ]);
  warehouse = new Proxy(embedded.warehouse, {
    get: (target, name) => {
      if (name === 'rows') queries++;
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const micro = (ms: number) => ms * 1000;
  // Hours 0 to 5: 3, 2 (one of them arrived with a live run), 0, one stored twice, 1 at the last microsecond, 1.
  const rows = [
    [0, 0],
    [0, 1],
    [0, HOUR - 1],
    [1, 5],
    [1, 7],
    [3, 5],
    [4, HOUR - 1],
    [5, 0],
  ].map(([hour = 0, offset = 0], n) =>
    eventRow(n, { timestamp: micro(FIRST + hour * HOUR + offset), inserted_at: micro(FIRST + 9 * HOUR) }),
  );
  const changes = new Map([
    [4, { inserted_at: micro(ASKED + HOUR) }],
    [6, { timestamp: micro(FIRST + 5 * HOUR) - 1 }],
  ]);
  const all = rows.map((row, n) => ({ ...row, ...changes.get(n) }));
  const copy = { ...(all[5] as (typeof all)[number]), created_at: micro(FIRST), distinct_id: 'user again' };
  await insertEvents(embedded.warehouse, bench.teamId, [...all, copy]);
});
afterAll(async () => {
  await embedded?.close();
  await bench?.close();
});

/** A backfill of six hours whose runs are claimed and planned; `live` first, so that they leave something out. */
async function planned(live: boolean): Promise<{ run: ClaimedRun; spec: RunSpec }[]> {
  bench.clock.set('2026-03-10T10:20:00Z');
  const { id } = await bench.create();
  if (live) {
    bench.clock.set('2026-03-10T12:20:00Z');
    await bench.feature.tick(10);
    for (const { id: runId } of await starting(id)) {
      const claim = await claimRun(bench.db, { runId, worker: 'w', now: bench.clock.now() });
      if (!claim) throw new Error('nothing to claim');
      await fixPlan(bench.db, claim, bench.clock.now());
      await finishRun(bench.ports, claim, { status: 'Completed', outcome: NO_OUTCOME });
    }
  }
  const range = {
    start_at: new Date(FIRST).toISOString(),
    end_at: new Date(FIRST + 6 * HOUR).toISOString(),
  };
  expect((await bench.call('POST', `batch_exports/${id}/backfills/`, range)).status).toBe(201);
  const result: { run: ClaimedRun; spec: RunSpec }[] = [];
  for (const { id: runId } of await starting(id)) {
    const run = await claimRun(bench.db, { runId, worker: 'w', now: bench.clock.now() });
    if (!run) throw new Error('nothing to claim');
    const plan = await fixPlan(bench.db, run, bench.clock.now());
    result.push({ run, spec: liveSpec(bench.teamId, { ...plan, interval: run.interval }) });
  }
  return result;
}

const starting = (exportId: string) =>
  bench.db
    .selectFrom('batch_export_runs')
    .select('id')
    .where('batch_export_id', '=', exportId)
    .where('status', '=', 'Starting')
    .orderBy('id')
    .execute();

/** The same interval without any of our region code. */
async function counted({ start, end }: RunSpec['interval'], arrived: string): Promise<Tally> {
  const [row] = await embedded.warehouse.rows<{ rows: string; high: string; low: string }>({
    sql: `SELECT ${tallyColumns('uuid')} FROM events WHERE inserted_at < '${arrived}'
          AND timestamp >= fromUnixTimestamp64Milli(${start}) AND timestamp < fromUnixTimestamp64Milli(${end})`,
  });
  return row ? tallyOf(row) : NO_ROWS;
}

it.each([
  ['nothing left out', false, '2026-03-10 10:20:00.001', [3, 1, 0, null, 1, 1]],
  ['what live runs delivered left out', true, '2026-03-10 10:00:00', [3, 1, 0, null, 1, 1]],
] as const)('%s', async (_, live, arrived, expected) => {
  const ahead = openCountsAhead({ db: bench.db, warehouse });
  const runs = await planned(live);
  expect(runs.map(({ spec }) => spec.excludes.length)).toEqual(runs.map(() => (live ? 1 : 0)));
  queries = 0;
  const found = await Promise.all(runs.map(({ run, spec }) => ahead(run, spec)));
  expect(queries).toBe(1);
  expect(found.map((tally) => tally?.rows ?? null)).toEqual([...expected]);
  for (const [index, tally] of found.entries()) {
    const interval = runs[index]?.spec.interval;
    if (tally && interval) expect(tally).toEqual(await counted(interval, arrived));
  }
});

it('a run that differs from its neighbours is counted by itself', async () => {
  const ahead = openCountsAhead({ db: bench.db, warehouse });
  const [{ run, spec } = {} as never] = await planned(false);
  const part = { arrivalFrom: 0, arrivalTo: 1, eventFrom: FIRST, eventTo: FIRST + 1 };
  const filters = [{ type: 'event', key: 'x', operator: 'is_set' }];
  queries = 0;
  for (const differing of [
    { excludes: [part] },
    { filters },
    { region: { ...spec.region, eventTo: null } },
  ]) {
    expect(await ahead(run, { ...spec, ...differing })).toBeNull();
  }
  expect(await ahead({ ...run, attempt: 2 }, spec)).toBeNull();
  expect(queries).toBe(0);
  expect(await ahead(run, spec)).toMatchObject({ rows: 3 });
  // Other names: another scan, and its own answer.
  expect(await ahead(run, { ...spec, includeEvents: ['nothing'] })).toEqual(NO_ROWS);
  expect(queries).toBe(2);
});

it('intervals that are not small are counted one by one', async () => {
  const ahead = openCountsAhead({ db: bench.db, warehouse });
  const [{ run, spec } = {} as never] = await planned(false);
  await bench.db
    .updateTable('batch_export_backfills')
    .set({ total_records_count: 6_000_000 })
    .where('id', '=', run.backfillId)
    .execute();
  queries = 0;
  expect(await ahead(run, spec)).toBeNull();
  expect(queries).toBe(0);
});

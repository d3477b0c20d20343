import { afterAll, beforeAll, expect, it } from 'vitest';
import { readBacklog } from '../../src/batch-exports/gauges.ts';
import { openLedger } from '../../src/batch-exports/runs/ledger.ts';
import { fixPlan } from '../../src/batch-exports/runs/plan.ts';
import { type ClaimedRun, claimRun } from '../../src/batch-exports/runs/store.ts';
import { systemClock } from '../../src/work/clock.ts';
import { FIRST_EXPORT, fillDatabase } from '../kit/many-exports.ts';
import { type AskingDatabase, openAskingDatabase } from './asking-database.ts';

/** What each of 10,000 exports' runs asks of an embedded database that holds a year of them. */
const HOUR = 3_600_000;
const RUNS = 2_000;
let bench: AskingDatabase;
beforeAll(async () => {
  bench = await openAskingDatabase();
  const amounts = { exports: 20, runsEach: 50, runsOfFirst: RUNS, backfillsOfFirst: 40, logLinesOfFirst: 1 };
  await fillDatabase(bench.database.kysely, bench.teamId, amounts, Date.now() - (Date.now() % HOUR));
  await bench.pglite.exec('analyze');
});
afterAll(() => bench.close());

/** A run of the schedule, the newest or the oldest of the first export's, with its claim and no plan. */
async function claimed(which: 'asc' | 'desc'): Promise<ClaimedRun> {
  const { id } = await bench.database.kysely
    .selectFrom('batch_export_runs')
    .select('id')
    .where('batch_export_id', '=', FIRST_EXPORT)
    .where('backfill_id', 'is', null)
    .orderBy('data_interval_end', which)
    .executeTakeFirstOrThrow();
  const again = { status: 'Starting', region: null, key_suffix: null, finished_at: null };
  await bench.database.kysely.updateTable('batch_export_runs').set(again).where('id', '=', id).execute();
  const run = await claimRun(bench.database.kysely, { runId: id, worker: 'w', now: Date.now() });
  if (!run) throw new Error('nothing to claim');
  return run;
}

/** Rows of the runs' table that the queries since the last call read, and how. */
async function read(): Promise<{ rows: number; plans: string }> {
  let rows = 0;
  const plans: string[] = [];
  for (const { sql, parameters } of bench.asked.splice(0)) {
    if (!sql.trim().toLowerCase().startsWith('select') && !sql.includes('with held')) continue;
    const found = await bench.pglite.query<Record<'QUERY PLAN', string>>(
      `explain (analyze, costs off) ${sql}`,
      [...parameters],
    );
    const text = found.rows.map((row) => row['QUERY PLAN']);
    plans.push(text.join('\n'));
    for (const [n, line] of text.entries()) {
      if (!/ on batch_export_runs/.test(line)) continue;
      const removed =
        text
          .slice(n + 1, n + 4)
          .join(' ')
          .match(/Rows Removed by Filter: (\d+)/)?.[1] ?? 0;
      const [, each = 0, loops = 1] = line.match(/rows=([\d.]+) loops=(\d+)/) ?? [];
      rows += (Number(each) + Number(removed)) * Number(loops);
    }
  }
  return { rows, plans: plans.join('\n\n') };
}

it.each(['desc', 'asc'] as const)(
  'planning a run (%s) reads a few of its export’s runs, by an index',
  async (which) => {
    const run = await claimed(which);
    await fixPlan(bench.asking, run, Date.now());
    const { rows, plans } = await read();
    expect(plans).toMatch(/ runs_interval\b/);
    expect(rows, plans).toBeLessThan(RUNS / 8);
  },
);

it('what a run replaces is found without reading its export’s runs', async () => {
  const ledger = openLedger(bench.asking, systemClock, await claimed('desc'), 'files');
  expect(await ledger.replaced()).toEqual([]);
  expect((await read()).rows).toBeLessThanOrEqual(1);
  await ledger.previousKeys();
  const { rows, plans } = await read();
  expect(rows, plans).toBeLessThan(10);
});

it('what /metrics tells of a year of runs reads what is active and what is due', async () => {
  const run = await claimed('desc');
  const { active, oldestCreatedAt, earliestDueAt, pausedByFailures } = await readBacklog(bench.asking);
  expect([active, oldestCreatedAt]).toEqual([expect.any(Number), expect.any(Number)]);
  expect(active).toBeGreaterThan(0);
  expect(oldestCreatedAt).toBeLessThanOrEqual(run.createdAt);
  expect(earliestDueAt).not.toBeUndefined();
  expect(pausedByFailures).toBe(0);
  const { rows, plans } = await read();
  expect(plans).toMatch(/ runs_active\b/);
  expect(rows, plans).toBeLessThan(RUNS / 8);
});

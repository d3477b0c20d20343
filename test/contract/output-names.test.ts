import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { finishRun } from '../../src/batch-exports/runs/finish.ts';
import { keySuffix } from '../../src/batch-exports/runs/output-name.ts';
import { fixPlan } from '../../src/batch-exports/runs/plan.ts';
import { claimRun } from '../../src/batch-exports/runs/store.ts';
import { migrateDatabase } from '../../src/database/migrate.ts';
import type { RunRow } from '../../src/database/tables.ts';
import { NO_OUTCOME } from '../../src/export/outcome.ts';
import { type ServedBench, serveBench } from './batch-exports-kit.ts';

/** R8: an output's name is chosen once and shared with no other output of the export. */
let bench: ServedBench;
beforeAll(async () => {
  bench = await serveBench({ maxBackfills: 100 });
});
afterAll(() => bench.close());
beforeEach(() => bench.clock.set('2026-03-10T10:20:00Z'));

const runsOf = (id: string) =>
  bench.db
    .selectFrom('batch_export_runs')
    .selectAll()
    .where('batch_export_id', '=', id)
    .orderBy('id')
    .execute();

async function backfill(id: string, from: string, to: string): Promise<RunRow> {
  const range = { start_at: `2026-03-10T${from}:00Z`, end_at: `2026-03-10T${to}:00Z` };
  expect((await bench.call('POST', `batch_exports/${id}/backfills/`, range)).status).toBe(201);
  return newest(id);
}

async function newest(id: string): Promise<RunRow> {
  const run = (await runsOf(id)).at(-1);
  if (!run) throw new Error('no run');
  return run;
}

/** Claims and plans the run and ends it with one file; the suffix of its name. */
async function deliver(
  { id }: Pick<RunRow, 'id'>,
  files: readonly string[] = [],
): Promise<string | undefined> {
  const claim = await claimRun(bench.db, { runId: id, worker: 'w', now: bench.clock.now() });
  if (!claim) throw new Error('nothing to claim');
  await fixPlan(bench.db, claim, bench.clock.now());
  const suffix = await keySuffix(bench.db, claim);
  const outcome = { ...NO_OUTCOME, files: files.map((key) => ({ key, bytes: 1, rows: 1 })) };
  await finishRun(bench.ports, claim, { status: 'Completed', outcome });
  return suffix;
}

async function retry(run: RunRow): Promise<RunRow> {
  const path = `batch_exports/${run.batch_export_id}/runs/${run.id}/retry`;
  expect((await bench.call('POST', path)).status).toBe(201);
  return newest(run.batch_export_id);
}

/** Hour → day → hour: the cursor is back at midnight, and the schedule runs the hours of the morning. */
async function bringBack(id: string): Promise<void> {
  for (const interval of ['day', 'hour']) {
    expect((await bench.call('PATCH', `batch_exports/${id}`, { interval })).status).toBe(200);
  }
  await bench.feature.tick(100);
}

const live = async (id: string, from: string): Promise<RunRow> => {
  const found = (await runsOf(id)).find(
    (run) =>
      run.backfill_id === null && run.data_interval_start?.toISOString() === `2026-03-10T${from}:00.000Z`,
  );
  if (!found) throw new Error('no live run');
  return found;
};

describe('R8: a backfill and a live run of the same interval', () => {
  it('the backfill first: the live run that an edit brings has another name', async () => {
    const { id } = await bench.create();
    const first = await backfill(id, '08:00', '09:00');
    expect(await deliver(first)).toBe(undefined);
    await bringBack(id);
    const second = await live(id, '08:00');
    expect(await deliver(second)).toBe('live');
    expect(await deliver(await live(id, '09:00'))).toBe(undefined);
    // Repeated, both keep their names, whatever was created meanwhile.
    expect(await deliver(await retry(first))).toBe(undefined);
    expect(await deliver(await retry(second))).toBe('live');
    expect(await deliver(await retry(first))).toBe(undefined);
  });

  it('the live run first', async () => {
    const { id } = await bench.create();
    const first = await backfill(id, '08:00', '09:00');
    await bringBack(id);
    const second = await live(id, '08:00');
    expect(await deliver(second)).toBe(undefined);
    expect(await deliver(first)).toBe(`backfill-${first.backfill_id}`);
    expect(await deliver(await retry(second))).toBe(undefined);
    expect(await deliver(await retry(first))).toBe(`backfill-${first.backfill_id}`);
  });

  it('a run that was cancelled before it had a name gets it when it is repeated, once', async () => {
    const { id } = await bench.create();
    const first = await backfill(id, '08:00', '09:00');
    const again = await retry(first);
    expect(await deliver(again)).toBe(undefined);
    await bringBack(id);
    expect(await deliver(await live(id, '08:00'))).toBe('live');
    expect(await deliver(await retry(first))).toBe(undefined);
  });

  it('an earlier attempt chose the name for the later ones', async () => {
    const { id } = await bench.create();
    const first = await backfill(id, '08:00', '09:00');
    const now = bench.clock.now();
    const claim = await claimRun(bench.db, { runId: first.id, worker: 'w', now });
    if (!claim) throw new Error('nothing to claim');
    await fixPlan(bench.db, claim, now);
    await bringBack(id);
    expect(await deliver(first)).toBe(undefined);
    expect(await deliver(await live(id, '08:00'))).toBe('live');
  });
});

it('R8: of two backfills of an interval the one planned first has the plain name, whatever their ids', async () => {
  const { id } = await bench.create();
  const first = await backfill(id, '08:00', '09:00');
  await deliver(first);
  const second = await backfill(id, '08:00', '09:00');
  // Ids hold the clock of the process that made them.
  const earlier = '00000000-0000-7000-8000-000000000001';
  await bench.db.updateTable('batch_export_runs').set({ id: earlier }).where('id', '=', second.id).execute();
  expect(await deliver({ id: earlier })).toBe(`backfill-${second.backfill_id}`);
});

it('R8: runs of earlier versions keep the names that they had', async () => {
  const { id } = await bench.create();
  const plain = await backfill(id, '04:00', '05:00');
  await deliver(plain, ['a/x.parquet']);
  const other = await backfill(id, '04:00', '05:00');
  await deliver(other, [`a/x_backfill-${other.backfill_id}.parquet`]);
  const waits = await backfill(id, '06:00', '07:00');
  const works = await backfill(id, '07:00', '08:00');
  const now = bench.clock.now();
  const claim = await claimRun(bench.db, { runId: works.id, worker: 'w', now });
  if (!claim) throw new Error('nothing to claim');
  await fixPlan(bench.db, claim, now);
  bench.clock.set('2026-03-10T11:20:00Z');
  await bench.feature.tick(100);
  const scheduled = await live(id, '10:00');
  await deliver(scheduled, ['a/y.parquet']);

  await sql`alter table batch_export_runs drop column key_suffix`.execute(bench.db);
  await sql`delete from sluice_migrations where name like '0013%'`.execute(bench.db);
  await migrateDatabase(bench.db);

  const names = new Map((await runsOf(id)).map((run) => [run.id, run.key_suffix]));
  expect(names.get(plain.id)).toBe('');
  expect(names.get(other.id)).toBe(`backfill-${other.backfill_id}`);
  expect(names.get(waits.id)).toBe(null);
  expect(names.get(works.id)).toBe('');
  expect(names.get(scheduled.id)).toBe('');
  await bringBack(id);
  expect(await deliver(await live(id, '04:00'))).toBe('live');
  expect(await deliver(await retry(plain))).toBe(undefined);
  expect(await deliver(await retry(other))).toBe(`backfill-${other.backfill_id}`);
});

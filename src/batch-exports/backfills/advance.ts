import type { BackfillRow, BatchExportRow } from '../../database/tables.ts';
import type { RunPorts, Trx } from '../ports.ts';
import { createRuns, type NewInterval } from '../runs/create.ts';
import { ACTIVE_RUN_STATES } from '../runs/machine.ts';
import { scheduleOf } from '../schedule/schedule.ts';
import { ACTIVE_BACKFILL_STATES } from './machine.ts';
import { backfillSteps } from './steps.ts';

/**
 * Creates the next runs of a backfill, as many as may be active, or ends it when nothing is left. The caller
 * holds the export's lock. Safe to call at any time.
 */
export async function advanceBackfill(
  trx: Trx,
  ports: RunPorts,
  batchExport: BatchExportRow,
  backfillId: string,
  now: number,
): Promise<string[]> {
  const backfill = await trx
    .selectFrom('batch_export_backfills')
    .selectAll()
    .where('id', '=', backfillId)
    .where('status', 'in', [...ACTIVE_BACKFILL_STATES])
    .forUpdate()
    .executeTakeFirst();
  if (!backfill) return [];
  // A person waits for a repeated run; it is one, and does not stand in line behind a long range.
  const room = backfill.retry_of ? 1 : ports.backfillParallelism - (await activeRuns(trx, batchExport.id));
  const { intervals, next } = nextSteps(batchExport, backfill, Math.max(0, room));
  const created = await createRuns(trx, ports, batchExport, intervals, { now, backfillId });
  const finished = next === null && created.length === 0 && (await runsOf(trx, backfillId)).active === 0;
  if (created.length === 0 && !finished) return [];
  await trx
    .updateTable('batch_export_backfills')
    .set({
      next_interval_start: new Date(next ?? end(backfill)),
      last_updated_at: new Date(now),
      ...(created.length > 0 ? { status: 'Running' } : {}),
      ...(finished ? await ending(trx, backfillId, now) : {}),
    })
    .where('id', '=', backfillId)
    .execute();
  return created;
}

/** The runs to create now, and where the next one begins; null = none is left. */
function nextSteps(
  batchExport: BatchExportRow,
  backfill: BackfillRow,
  room: number,
): { intervals: readonly NewInterval[]; next: number | null } {
  const upTo = end(backfill);
  const from = (backfill.next_interval_start ?? backfill.start_at)?.getTime() ?? null;
  if (from !== null && from >= upTo) return { intervals: [], next: null };
  if (room === 0) return { intervals: [], next: from };
  // One run repeats exactly one interval; all of history is one run.
  if (from === null || backfill.retry_of) return { intervals: [{ start: from, end: upTo }], next: null };
  const intervals = backfillSteps(scheduleOf(batchExport), from, upTo, room);
  const next = intervals.at(-1)?.end ?? from;
  return { intervals, next: next >= upTo ? null : next };
}

/** Making up for a pause ends where the live runs go on; a range ends where it was asked to. */
function end(backfill: BackfillRow): number {
  const last = backfill.by_arrival ? backfill.arrival_before : backfill.end_at;
  if (!last) throw new Error('A backfill without an end is not supported.');
  return last.getTime();
}

async function activeRuns(trx: Trx, exportId: string): Promise<number> {
  const { count } = await trx
    .selectFrom('batch_export_runs')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('batch_export_id', '=', exportId)
    .where('backfill_id', 'is not', null)
    .where('status', 'in', [...ACTIVE_RUN_STATES])
    .executeTakeFirstOrThrow();
  return Number(count);
}

async function runsOf(trx: Trx, backfillId: string): Promise<{ active: number; rows: number }> {
  const runs = await trx
    .selectFrom('batch_export_runs')
    .select(['status', 'records_completed'])
    .where('backfill_id', '=', backfillId)
    .execute();
  const active = runs.filter((run) => (ACTIVE_RUN_STATES as readonly string[]).includes(run.status));
  const rows = runs
    .filter((run) => run.status === 'Completed')
    .reduce((sum, run) => sum + (run.records_completed ?? 0), 0);
  return { active: active.length, rows };
}

async function ending(trx: Trx, backfillId: string, now: number) {
  const { rows } = await runsOf(trx, backfillId);
  return { status: 'Completed', finished_at: new Date(now), total_records_count: rows };
}

/** Moves on the backfills that wait for room; for the tick. */
export async function advanceActiveBackfills(ports: RunPorts, limit: number): Promise<string[]> {
  const waiting = await ports.db
    .selectFrom('batch_export_backfills')
    .select(['id', 'batch_export_id'])
    .where('status', 'in', [...ACTIVE_BACKFILL_STATES])
    .orderBy('last_updated_at')
    .limit(limit)
    .execute();
  const created: string[] = [];
  for (const { id, batch_export_id: exportId } of waiting) {
    const ids = await ports.db.transaction().execute(async (trx) => {
      const batchExport = await trx
        .selectFrom('batch_exports')
        .selectAll()
        .where('id', '=', exportId)
        .forUpdate()
        .skipLocked()
        .executeTakeFirst();
      return batchExport ? advanceBackfill(trx, ports, batchExport, id, ports.clock.now()) : [];
    });
    created.push(...ids);
  }
  return created;
}

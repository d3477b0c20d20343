import type { BackfillRow, BatchExportRow } from '../../database/tables.ts';
import type { RunPorts, Trx } from '../ports.ts';
import { createRuns } from '../runs/create.ts';
import { ACTIVE_RUN_STATES } from '../runs/machine.ts';
import { scheduleOf } from '../schedule/schedule.ts';
import { conclude } from './conclude.ts';
import { ACTIVE_BACKFILL_STATES } from './machine.ts';
import { nextOpenSteps } from './open-end.ts';
import { isOpenEnded } from './open-region.ts';
import { backfillSteps, type NextSteps } from './steps.ts';

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
  const room = backfill.retry_of
    ? 1
    : ports.backfillParallelism - (await countActive(trx, { exportId: batchExport.id }));
  const { intervals, cursor, left } = isOpenEnded(backfill)
    ? await nextOpenSteps(trx, batchExport, backfill, { room: Math.max(0, room), now })
    : nextSteps(batchExport, backfill, Math.max(0, room));
  const created = await createRuns(trx, ports, batchExport, intervals, { now, backfillId });
  const finished = !left && intervals.length === 0 && (await countActive(trx, { backfillId })) === 0;
  if (created.length === 0 && !finished) return [];
  await trx
    .updateTable('batch_export_backfills')
    .set({
      ...(cursor === null ? {} : { next_interval_start: new Date(cursor) }),
      last_updated_at: new Date(now),
      ...(created.length > 0 ? { status: 'Running' } : {}),
      ...(finished ? { status: 'Completed', finished_at: new Date(now) } : {}),
    })
    .where('id', '=', backfillId)
    .execute();
  if (finished) await conclude(trx, ports, batchExport, backfill, now);
  return created;
}

function nextSteps(batchExport: BatchExportRow, backfill: BackfillRow, room: number): NextSteps {
  const upTo = end(backfill);
  const from = (backfill.next_interval_start ?? backfill.start_at)?.getTime() ?? null;
  if (from !== null && from >= upTo) return { intervals: [], cursor: from, left: false };
  if (room === 0) return { intervals: [], cursor: from, left: true };
  // One run repeats exactly one interval; all of history is one run.
  if (from === null || backfill.retry_of) {
    return { intervals: [{ start: from, end: upTo }], cursor: upTo, left: false };
  }
  const intervals = backfillSteps(scheduleOf(batchExport), from, upTo, room);
  const next = intervals.at(-1)?.end ?? from;
  return { intervals, cursor: next, left: next < upTo };
}

/** Making up for a pause ends where the live runs go on; a range ends where it was asked to. */
function end(backfill: BackfillRow): number {
  const last = backfill.by_arrival ? backfill.arrival_before : backfill.end_at;
  if (!last) throw new Error('Only an open-ended backfill has no end.');
  return last.getTime();
}

/** Active runs of one backfill, or of all backfills of an export. */
async function countActive(
  trx: Trx,
  of: { readonly backfillId: string } | { readonly exportId: string },
): Promise<number> {
  const active = trx
    .selectFrom('batch_export_runs')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('status', 'in', [...ACTIVE_RUN_STATES]);
  const { count } = await ('backfillId' in of
    ? active.where('backfill_id', '=', of.backfillId)
    : active.where('batch_export_id', '=', of.exportId).where('backfill_id', 'is not', null)
  ).executeTakeFirstOrThrow();
  return Number(count);
}

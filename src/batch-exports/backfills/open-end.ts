import type { BackfillRow, BatchExportRow } from '../../database/tables.ts';
import type { Trx } from '../ports.ts';
import type { NewInterval } from '../runs/create.ts';
import { nextIntervals, scheduleOf } from '../schedule/schedule.ts';
import { isOpenEnded, lastHappened } from './open-region.ts';
import type { NextSteps } from './steps.ts';
import { backfillSteps } from './steps.ts';

/**
 * The next steps of a backfill without an end (docs/state-machines.md): by event time over what had arrived when it
 * was asked for, then, interval by interval of the schedule, by arrival time over what came since. Nothing is left
 * once the schedule's interval in progress is reached. The caller holds the export's lock.
 */
export async function nextOpenSteps(
  trx: Trx,
  batchExport: BatchExportRow,
  backfill: BackfillRow,
  options: { readonly room: number; readonly now: number },
): Promise<NextSteps> {
  if (!isOpenEnded(backfill)) throw new Error('This backfill has an end.');
  const { room } = options;
  const seam = backfill.arrival_before.getTime();
  const upTo = lastHappened(backfill);
  const from = (backfill.next_interval_start ?? backfill.start_at)?.getTime() ?? null;
  if (from === null) {
    return room === 0
      ? { intervals: [], cursor: null, left: true }
      : { intervals: [{ start: null, end: upTo }], cursor: seam, left: true };
  }
  if (from >= seam) return sinceThen(trx, batchExport, from, options);
  // It may begin at the very moment it was asked for, when all rows are from clocks that are ahead: they need a run, too.
  const end = from < upTo ? upTo : seam;
  const intervals = backfillSteps(scheduleOf(batchExport), from, end, room);
  const next = intervals.at(-1)?.end ?? from;
  return { intervals, cursor: next >= end ? seam : next, left: true };
}

/**
 * By arrival. While the schedule is active it sees to everything from its own cursor on; what it skipped (it was paused and
 * unpaused meanwhile) is made up for.
 */
async function sinceThen(
  trx: Trx,
  batchExport: BatchExportRow,
  from: number,
  { room, now }: { readonly room: number; readonly now: number },
): Promise<NextSteps> {
  const until = batchExport.paused ? now : Math.min(now, batchExport.next_interval_start.getTime());
  const due = nextIntervals(scheduleOf(batchExport), from, until, {
    limit: Number.POSITIVE_INFINITY,
    jitterScale: 0,
  });
  const live = due.length === 0 ? new Map<number, number>() : await liveStarts(trx, batchExport.id, from);
  // One with the same end may begin later: the schedule was cut finer for a while.
  const missing = due.filter(({ start, end }) => !((live.get(end) ?? end) <= Math.max(start, from)));
  const intervals: NewInterval[] = missing
    .slice(0, room)
    .map(({ start, end }) => ({ start: Math.max(start, from), end }));
  return { intervals, cursor: intervals.at(-1)?.end ?? from, left: missing.length > intervals.length };
}

/** The live runs that end after `from`: end → start. */
async function liveStarts(trx: Trx, exportId: string, from: number): Promise<Map<number, number>> {
  const rows = await trx
    .selectFrom('batch_export_runs')
    .select(['data_interval_start', 'data_interval_end'])
    .where('batch_export_id', '=', exportId)
    .where('backfill_id', 'is', null)
    .where('data_interval_end', '>', new Date(from))
    .execute();
  return new Map(
    rows.map((row) => [row.data_interval_end.getTime(), row.data_interval_start?.getTime() ?? 0]),
  );
}

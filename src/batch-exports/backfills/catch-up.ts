import type { BackfillRow, BatchExportRow } from '../../database/tables.ts';
import type { ResourcePorts, Trx } from '../ports.ts';
import { lastEnd, scheduleOf } from '../schedule/schedule.ts';
import { createBackfillRow, rangeColumns, workflowIdOf } from './create.ts';
import { takeLeftOver } from './left-over.ts';

type Columns = Pick<BackfillRow, 'next_interval_start' | 'arrival_before'> &
  Partial<Pick<BackfillRow, 'adjusted_start_at'>>;

/**
 * Makes up for the intervals between the cursor at the pause and the one after it, by arrival time, and before that for
 * what earlier catch-ups left when the automatic pause cancelled them; for none that the schedule would not run. The
 * caller holds the export's lock.
 */
export async function startCatchUp(
  trx: Trx,
  ports: ResourcePorts,
  batchExport: { readonly before: BatchExportRow; readonly after: BatchExportRow },
  now: number,
): Promise<void> {
  const { before, after } = batchExport;
  const last = lastEnd(scheduleOf(after));
  const make = (start: number, end: number, columns: Columns) => {
    const range = { start, end };
    const row = { ...rangeColumns(range), workflow_id: workflowIdOf(after.id, range), by_arrival: true };
    return createBackfillRow(trx, ports, after, { ...row, ...columns }, now);
  };
  for (const left of await takeLeftOver(trx, after.id)) {
    const until = Math.min(left.until?.getTime() ?? 0, last);
    if (!left.from || left.from.getTime() >= until) continue;
    await make(left.from.getTime(), until, {
      next_interval_start: left.from,
      arrival_before: new Date(until),
    });
  }
  const cursor = before.next_interval_start;
  const until = Math.min(after.next_interval_start.getTime(), last);
  // `last_paused_at` may be of an earlier pause, or anybody's, the future included, as the cursor of a schedule that has
  // yet to begin. What lies before the cursor has its runs.
  const start = Math.min((before.last_paused_at ?? cursor).getTime(), now);
  const first = Math.min(cursor.getTime(), now);
  await make(start, until === last ? Math.max(start, last) : now, {
    ...(first > start ? { adjusted_start_at: new Date(first) } : {}),
    next_interval_start: cursor,
    arrival_before: new Date(until),
  });
}

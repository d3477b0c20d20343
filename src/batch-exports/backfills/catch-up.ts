import type { BatchExportRow } from '../../database/tables.ts';
import type { ResourcePorts, Trx } from '../ports.ts';
import { createBackfillRow, rangeColumns, workflowIdOf } from './create.ts';
import { takeLeftOver } from './left-over.ts';

/**
 * Makes up for the intervals between the cursor at the pause and the one after it, by arrival time, and before that for
 * what earlier catch-ups left when the automatic pause cancelled them. The caller holds the export's lock.
 */
export async function startCatchUp(
  trx: Trx,
  ports: ResourcePorts,
  batchExport: { readonly before: BatchExportRow; readonly after: BatchExportRow },
  now: number,
): Promise<void> {
  const { before, after } = batchExport;
  for (const { from, until } of await takeLeftOver(trx, after.id)) {
    if (!from || !until || from >= until) continue;
    const range = { start: from.getTime(), end: until.getTime() };
    await createBackfillRow(
      trx,
      ports,
      after,
      {
        ...rangeColumns(range),
        by_arrival: true,
        next_interval_start: from,
        arrival_before: until,
        workflow_id: workflowIdOf(after.id, range),
      },
      now,
    );
  }
  const range = { start: (before.last_paused_at ?? before.next_interval_start).getTime(), end: now };
  // `last_paused_at` may be of an earlier pause, or anybody's: what lies before the cursor has its runs.
  const late = before.next_interval_start.getTime() > range.start;
  const row = {
    ...rangeColumns(range),
    ...(late ? { adjusted_start_at: before.next_interval_start } : {}),
    by_arrival: true,
    next_interval_start: before.next_interval_start,
    arrival_before: after.next_interval_start,
    workflow_id: workflowIdOf(after.id, range),
  };
  await createBackfillRow(trx, ports, after, row, now);
}

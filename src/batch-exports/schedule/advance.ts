import type { BatchExportRow } from '../../database/tables.ts';
import type { RunPorts, Trx } from '../ports.ts';
import { createRuns } from '../runs/create.ts';
import type { DataInterval } from './intervals.ts';
import { dueAt, nextIntervals, scheduleOf } from './schedule.ts';

export interface Due {
  readonly intervals: readonly DataInterval[];
  /** The start of the first interval without a run, milliseconds since the epoch. */
  readonly cursor: number;
  /** When the schedule must be looked at again; null = never. */
  readonly dueAt: number | null;
}

export interface Advanced extends Omit<Due, 'intervals'> {
  readonly created: readonly string[];
}

/** The intervals from the cursor on that are due, at most `limit`, in order, and where the schedule is after them. */
export function dueIntervals(
  batchExport: BatchExportRow,
  options: { readonly now: number; readonly limit: number; readonly jitterScale: number },
): Due {
  const schedule = scheduleOf(batchExport);
  const before = batchExport.next_interval_start.getTime();
  const intervals = nextIntervals(schedule, before, options.now, options);
  const cursor = intervals.at(-1)?.end ?? before;
  return { intervals, cursor, dueAt: dueAt(schedule, cursor, options.jitterScale) };
}

/**
 * Before a pause or an edit: the runs of all intervals that ended so far, without waiting for their jitter. None while
 * paused. Changes no schedule column: the caller, who holds the export's lock, stores the new cursor. Five-minute
 * intervals after a year of downtime are 105,120 rows; they all belong to this moment.
 */
export async function runEndedIntervals(
  trx: Trx,
  ports: Pick<RunPorts, 'newId' | 'enqueue'>,
  batchExport: BatchExportRow,
  now: number,
): Promise<Advanced> {
  const cursor = batchExport.next_interval_start.getTime();
  if (batchExport.paused) return { created: [], cursor, dueAt: null };
  const due = dueIntervals(batchExport, { now, limit: Number.POSITIVE_INFINITY, jitterScale: 0 });
  const created = await createRuns(trx, ports, batchExport, due.intervals, { now, backfillId: null });
  return { created, cursor: due.cursor, dueAt: due.dueAt };
}

import type { BackfillRow } from '../../database/tables.ts';
import { type IntervalName, nominalLength } from '../schedule/intervals.ts';
import { ACTIVE_BACKFILL_STATES } from './machine.ts';

export interface RunCounts {
  readonly total: number;
  /** Completed or Failed. */
  readonly finished: number;
}

export interface Progress {
  readonly total_runs: number | null;
  readonly finished_runs: number | null;
  readonly progress: number | null;
}

type Columns = Pick<
  BackfillRow,
  'status' | 'start_at' | 'end_at' | 'adjusted_start_at' | 'finished_at' | 'total_records_count'
>;

/** How far a backfill is, or null when that cannot be said (contract.md §8.1). Times in milliseconds. */
export function progressOf(
  row: Columns,
  interval: IntervalName,
  runs: RunCounts,
  now: number,
): Progress | null {
  if (row.status === 'Completed') {
    const total = expectedRuns(row, interval, now) ?? runs.total;
    return { total_runs: total, finished_runs: total, progress: 1 };
  }
  if (!(ACTIVE_BACKFILL_STATES as readonly string[]).includes(row.status)) return null;
  if (!row.start_at) return null;
  const expected = expectedRuns(row, interval, now);
  if (expected === null || expected === 0) return null;
  const total = Math.max(expected, runs.finished);
  return {
    total_runs: total,
    finished_runs: runs.finished,
    progress: Math.round((runs.finished / total) * 10) / 10,
  };
}

function expectedRuns(row: Columns, interval: IntervalName, now: number): number | null {
  if (!row.start_at) return 1;
  if (row.total_records_count === 0) return 0;
  const end = (row.end_at ?? row.finished_at)?.getTime() ?? (row.status === 'Running' ? now : null);
  if (end === null) return null;
  const start = (row.adjusted_start_at ?? row.start_at).getTime();
  return Math.max(0, Math.ceil((end - start) / nominalLength(interval)));
}

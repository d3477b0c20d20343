import type { BackfillRow } from '../../database/tables.ts';
import type { Cadence } from '../schedule/intervals.ts';
import { ACTIVE_BACKFILL_STATES } from './machine.ts';
import { countSteps } from './steps.ts';

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
  | 'status'
  | 'start_at'
  | 'end_at'
  | 'adjusted_start_at'
  | 'next_interval_start'
  | 'by_arrival'
  | 'arrival_before'
  | 'finished_at'
  | 'total_records_count'
>;

/** How far a backfill is, or null when that cannot be said (contract.md §8.1). `now` in milliseconds since the epoch. */
export function progressOf(row: Columns, cadence: Cadence, runs: RunCounts, now: number): Progress | null {
  if (row.status === 'Completed') {
    const total = expectedRuns(row, cadence, runs, now) ?? runs.total;
    return { total_runs: total, finished_runs: total, progress: 1 };
  }
  if (!(ACTIVE_BACKFILL_STATES as readonly string[]).includes(row.status)) return null;
  if (!row.start_at) return null;
  const expected = expectedRuns(row, cadence, runs, now);
  if (expected === null || expected === 0) return null;
  const total = Math.max(expected, runs.finished);
  return {
    total_runs: total,
    finished_runs: runs.finished,
    progress: Math.round((runs.finished / total) * 10) / 10,
  };
}

/** The runs that there are, whatever the schedule was when they were made, and while it is active those to come. */
function expectedRuns(row: Columns, cadence: Cadence, runs: RunCounts, now: number): number | null {
  if (!row.start_at) return 1;
  if (row.total_records_count === 0) return 0;
  if (row.status === 'Completed') return runs.total;
  const last = row.by_arrival ? row.arrival_before : row.end_at;
  const end = (last ?? row.finished_at)?.getTime() ?? (row.status === 'Running' ? now : null);
  if (end === null) return null;
  const from = (row.next_interval_start ?? row.adjusted_start_at ?? row.start_at).getTime();
  return runs.total + countSteps(cadence, from, end);
}

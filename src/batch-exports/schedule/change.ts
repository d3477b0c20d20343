import type { BatchExportRow } from '../../database/tables.ts';
import type { RunPorts, Trx } from '../ports.ts';
import { runEndedIntervals } from './advance.ts';
import { scheduleState } from './machine.ts';
import { dueAt, firstCursor, scheduleOf } from './schedule.ts';

export type ScheduleColumns = Pick<
  BatchExportRow,
  'interval' | 'interval_offset' | 'timezone' | 'start_at' | 'end_at' | 'paused'
>;

export interface CursorColumns {
  readonly next_interval_start: Date;
  readonly next_due_at: Date | null;
}

/** What an edit, a pause or an unpause changes beside the columns that it names. */
export interface ChangedColumns extends CursorColumns {
  /** An export that paused itself stays marked until somebody unpauses it. */
  readonly paused_by_failures: boolean;
}

/** Where a new export begins: its first run comes at the end of the interval in progress. */
export function firstCursorColumns(
  columns: ScheduleColumns & { readonly id: string },
  now: number,
  jitterScale: number,
): CursorColumns {
  return cursorColumns(columns, firstCursor(scheduleOf(columns), now), jitterScale);
}

/**
 * The cursor after an edit, a pause or an unpause (docs/state-machines.md, "Schedule"). Creates the runs of the
 * intervals that ended so far first, but on standby, where they are to be kept from running; the caller holds the export's
 * lock and stores the columns.
 */
export async function changeSchedule(
  trx: Trx,
  ports: RunPorts,
  before: BatchExportRow,
  after: ScheduleColumns,
  now: number,
): Promise<ChangedColumns> {
  const cursor = ports.standby
    ? before.next_interval_start.getTime()
    : (await runEndedIntervals(trx, ports, before, now)).cursor;
  const columns = { ...after, id: before.id };
  const schedule = scheduleOf(columns);
  const resumes = scheduleState(before) === 'Ended' || (before.paused && !after.paused);
  // A cursor in the future waited for a start_at that may have moved.
  const from = resumes ? now : Math.min(cursor, now);
  return {
    ...cursorColumns(columns, firstCursor(schedule, from), ports.jitterScale),
    paused_by_failures: before.paused_by_failures && after.paused,
  };
}

/** The columns of a schedule whose next interval begins at `cursor`, milliseconds since the epoch. */
export function cursorColumns(
  columns: ScheduleColumns & { readonly id: string },
  cursor: number,
  jitterScale: number,
): CursorColumns {
  const due = columns.paused ? null : dueAt(scheduleOf(columns), cursor, jitterScale);
  return { next_interval_start: new Date(cursor), next_due_at: due === null ? null : new Date(due) };
}

import { createHash } from 'node:crypto';
import type { BatchExportRow } from '../../database/tables.ts';
import {
  type Cadence,
  type DataInterval,
  type IntervalName,
  intervalContaining,
  nominalLength,
} from './intervals.ts';

/** When an export runs: how time is cut, and the bounds within which it fires. */
export interface Schedule extends Cadence {
  readonly exportId: string;
  /** Nothing fires before this instant; milliseconds since the epoch, null = no bound. */
  readonly startAt: number | null;
  /** Nothing fires after this instant. */
  readonly endAt: number | null;
}

type ScheduleRow = Pick<
  BatchExportRow,
  'id' | 'interval' | 'timezone' | 'interval_offset' | 'start_at' | 'end_at'
>;

export function scheduleOf(row: ScheduleRow): Schedule {
  return {
    exportId: row.id,
    interval: row.interval as IntervalName,
    timezone: row.timezone,
    offsetSeconds: row.interval_offset,
    startAt: row.start_at?.getTime() ?? null,
    endAt: row.end_at?.getTime() ?? null,
  };
}

const MINUTE = 60_000;
const LONGEST_JITTER: Partial<Record<IntervalName, number>> = {
  hour: 15 * MINUTE,
  day: 20 * MINUTE,
  week: 30 * MINUTE,
};

/**
 * How long after its interval's end a run starts, in whole milliseconds, so that a thousand exports do not start in
 * the same second (contract.md §13). The same for an interval whoever asks. `scale` 0 = none, 1 = full.
 */
export function jitter(schedule: Schedule, interval: DataInterval, scale: number): number {
  const longest = LONGEST_JITTER[schedule.interval] ?? nominalLength(schedule.interval) / 5;
  const digest = createHash('sha256').update(`${schedule.exportId}:${interval.end}`).digest();
  return Math.floor((digest.readUInt32BE(0) / 2 ** 32) * longest * scale);
}

/**
 * The cursor of a schedule that begins at `from`: its first run comes at the end of the interval in progress then. After an
 * edit, `from` is the old cursor, and the new schedule begins with its interval that holds it.
 */
export function firstCursor(schedule: Schedule, from: number): number {
  return notBeforeStart(schedule, intervalContaining(schedule, from).start);
}

function notBeforeStart(schedule: Schedule, cursor: number): number {
  if (schedule.startAt === null) return cursor;
  // The first interval that may fire is the one that ends at startAt or holds it.
  return Math.max(cursor, intervalContaining(schedule, schedule.startAt - 1).start);
}

/** The last moment that answers and the database can write. */
const LAST = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** When the interval at the cursor is due; null = never: after `endAt`, or after the year 9999. */
export function dueAt(schedule: Schedule, cursor: number, jitterScale: number): number | null {
  return dueOf(schedule, intervalContaining(schedule, cursor), jitterScale);
}

function dueOf(schedule: Schedule, interval: DataInterval, jitterScale: number): number | null {
  if (schedule.endAt !== null && interval.end > schedule.endAt) return null;
  const due = interval.end + jitter(schedule, interval, jitterScale);
  return due > LAST ? null : due;
}

/** Where the last interval that may fire ends, milliseconds since the epoch; infinity without `endAt`. */
export function lastEnd(schedule: Schedule): number {
  return schedule.endAt === null
    ? Number.POSITIVE_INFINITY
    : intervalContaining(schedule, schedule.endAt).start;
}

/**
 * The intervals from the cursor on that are due, in order, at most `limit`. With `jitterScale` 0: all that ended by
 * `now`. Empty when the clock went backwards.
 */
export function nextIntervals(
  schedule: Schedule,
  cursor: number,
  now: number,
  options: { readonly limit: number; readonly jitterScale: number },
): DataInterval[] {
  const intervals: DataInterval[] = [];
  let next = cursor;
  while (intervals.length < options.limit) {
    const interval = intervalContaining(schedule, next);
    const due = dueOf(schedule, interval, options.jitterScale);
    if (due === null || due > now) break;
    intervals.push(interval);
    next = interval.end;
  }
  return intervals;
}

import type { NewInterval } from '../runs/create.ts';
import {
  type Cadence,
  countIntervals,
  type DataInterval,
  intervalContaining,
  isCalendar,
  nominalLength,
} from '../schedule/intervals.ts';

/** What a backfill does next. */
export interface NextSteps {
  readonly intervals: readonly NewInterval[];
  /** Where the interval after these begins; null = all of history, which has not begun. */
  readonly cursor: number | null;
  /** Whether there are more after these. */
  readonly left: boolean;
}

/**
 * Cuts `[from, to)` into steps of one interval, at most `limit`, in order. Day and week steps end where the
 * schedule's own intervals end, through daylight saving, too; shorter ones are counted from `from`. The last one is cut at
 * `to` (B1; upstream drops it, engine.md §5.4, and with it its rows).
 */
export function backfillSteps(cadence: Cadence, from: number, to: number, limit: number): DataInterval[] {
  const after = (start: number) =>
    isCalendar(cadence.interval)
      ? intervalContaining(cadence, start).end
      : start + nominalLength(cadence.interval);
  const steps: DataInterval[] = [];
  for (let start = from; start < to && steps.length < limit; ) {
    const end = Math.min(after(start), to);
    steps.push({ start, end });
    start = end;
  }
  return steps;
}

/** How many steps `backfillSteps` cuts `[from, to)` into, without making them. */
export function countSteps(cadence: Cadence, from: number, to: number): number {
  if (from >= to) return 0;
  return isCalendar(cadence.interval)
    ? countIntervals(cadence, from, to)
    : Math.ceil((to - from) / nominalLength(cadence.interval));
}

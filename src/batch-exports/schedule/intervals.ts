import { Temporal } from 'temporal-polyfill';

export const INTERVALS = ['hour', 'day', 'week', 'every 5 minutes', 'every 15 minutes'] as const;
export type IntervalName = (typeof INTERVALS)[number];

/** How time is cut into intervals (contract.md §4.3, engine.md §4). */
export interface Cadence {
  readonly interval: IntervalName;
  /** IANA name; only day and week look at it. */
  readonly timezone: string;
  /** Seconds after midnight (day) or after Sunday's midnight (week); null = 0. */
  readonly offsetSeconds: number | null;
}

/** Milliseconds since the epoch, half open. */
export interface DataInterval {
  readonly start: number;
  readonly end: number;
}

const MINUTE = 60_000;
const FIXED: Partial<Record<IntervalName, number>> = {
  'every 5 minutes': 5 * MINUTE,
  'every 15 minutes': 15 * MINUTE,
  hour: 60 * MINUTE,
};
const NOMINAL: Record<IntervalName, number> = {
  'every 5 minutes': 5 * MINUTE,
  'every 15 minutes': 15 * MINUTE,
  hour: 60 * MINUTE,
  day: 1440 * MINUTE,
  week: 7 * 1440 * MINUTE,
};

/** Milliseconds of an interval, leaving daylight saving aside; for progress and backfill limits. */
export const nominalLength = (interval: IntervalName): number => NOMINAL[interval];

/** Whether intervals follow the local calendar (day, week) and not the epoch. */
export const isCalendar = (interval: IntervalName): boolean => FIXED[interval] === undefined;

/** The hour of day (0–23) of an offset; a weekly offset that survived a change to `day` keeps its hour. */
export const offsetHour = (offsetSeconds: number | null): number =>
  Math.floor((offsetSeconds ?? 0) / 3600) % 24;

/** The day of week of an offset, 0 = Sunday … 6 = Saturday. */
export const offsetDay = (offsetSeconds: number | null): number =>
  Math.floor((offsetSeconds ?? 0) / 86_400) % 7;

/** The interval that holds an instant. Every instant has exactly one; neighbours touch (S1). */
export function intervalContaining(cadence: Cadence, instant: number): DataInterval {
  const length = FIXED[cadence.interval];
  if (length !== undefined) {
    const start = Math.floor(instant / length) * length;
    return { start, end: start + length };
  }
  const { start, end } = calendarInterval(cadence, instant);
  return { start, end };
}

/**
 * The instant at which the interval of local date `date` begins. Clocks that jump over the hour: the first
 * instant after the gap, unless they jump over the whole day, which has no interval: where the next one begins. An hour that
 * comes twice: the first of the two.
 */
export function startOfLocalDay(cadence: Cadence, date: Temporal.PlainDate): number {
  const wanted = date.toPlainDateTime(new Temporal.PlainTime(offsetHour(cadence.offsetSeconds)));
  const at = wanted.toZonedDateTime(cadence.timezone, { disambiguation: 'compatible' });
  if (at.toPlainDateTime().equals(wanted)) return at.epochMilliseconds;
  // In a gap that is as far behind its end as the hour is behind its beginning.
  const gap = at.add({ milliseconds: 1 }).getTimeZoneTransition('previous');
  if (!gap) return at.epochMilliseconds;
  const before = gap.subtract({ milliseconds: 1 }).toPlainDate();
  const isSkipped =
    Temporal.PlainDate.compare(before, date) < 0 && Temporal.PlainDate.compare(date, gap.toPlainDate()) < 0;
  return isSkipped ? startOfLocalDay(cadence, date.add({ days: 1 })) : gap.epochMilliseconds;
}

/** With the local date at whose hour it begins, or would but for a gap. */
function calendarInterval(
  cadence: Cadence,
  instant: number,
): DataInterval & { readonly date: Temporal.PlainDate } {
  const days = cadence.interval === 'week' ? 7 : 1;
  const local = Temporal.Instant.fromEpochMilliseconds(instant)
    .toZonedDateTimeISO(cadence.timezone)
    .toPlainDate();
  const back = days === 7 ? (local.dayOfWeek - offsetDay(cadence.offsetSeconds) + 7) % 7 : 0;
  // One step late: before the offset hour the interval began a step earlier. Where the clocks go back over midnight
  // (St. John's, 2010) it is the day before for a second time, and one step is too few. A zone that skipped a day (Apia,
  // 30 December 2011) starts two steps at the same instant; the last one counts.
  let date = local.subtract({ days: back }).add({ days });
  let end = startOfLocalDay(cadence, date);
  while (end <= instant) {
    date = date.add({ days });
    end = startOfLocalDay(cadence, date);
  }
  for (;;) {
    date = date.subtract({ days });
    const start = startOfLocalDay(cadence, date);
    if (start <= instant) return { start, end, date };
    end = start;
  }
}

/** How many calendar intervals `[from, to)` touches, `from` < `to`; one that its zone skipped (Apia, 2011) is counted. */
export function countIntervals(cadence: Cadence, from: number, to: number): number {
  const first = calendarInterval(cadence, from).date;
  const last = calendarInterval(cadence, to - 1).date;
  const days = first.until(last, { largestUnit: 'day' }).days;
  return Math.round(days / (cadence.interval === 'week' ? 7 : 1)) + 1;
}

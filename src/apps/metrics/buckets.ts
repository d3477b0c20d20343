import { Temporal } from 'temporal-polyfill';
import type { MetricsWindow } from './window.ts';

/**
 * The buckets of a window: every hour or day of the project's time zone from the one that holds `from` to the one that
 * holds `to` (contract.md §11.1). `labels` are wall clock, `starts` the seconds since the epoch at which they begin. Hours
 * are real ones: the hour that a zone repeats is two buckets with one label, the hour or day it skips is none.
 */
export interface Buckets {
  readonly unit: 'hour' | 'day';
  readonly labels: readonly string[];
  /** Null for so many days that only the warehouse's own calendar is quick enough. */
  readonly starts: readonly number[] | null;
}

const DAY_MS = 86_400_000;
/** A day's start costs 20 µs; 11 digits each in the query's text. */
const MOST_STARTS = 1000;

/** Hours when the window is shorter than two days, else days. Empty when it ends before it begins. */
export function bucketsOf({ from, to }: MetricsWindow, zone: string): Buckets {
  const first = from.toZonedDateTimeISO(zone);
  const last = to.toZonedDateTimeISO(zone);
  return to.epochMilliseconds - from.epochMilliseconds < 2 * DAY_MS ? hours(first, last) : days(first, last);
}

function days(from: Temporal.ZonedDateTime, to: Temporal.ZonedDateTime): Buckets {
  const labels: string[] = [];
  const [first, last] = [dayNumber(from), dayNumber(to)];
  // A window of four hundred years has 146,000 days: plain numbers, no calendar.
  for (let day = first; day <= last; day += DAY_MS) labels.push(new Date(day).toISOString().slice(0, 10));
  if (labels.length > MOST_STARTS) return { unit: 'day', labels, starts: null };
  const begun = labels.map((label) => Temporal.PlainDate.from(label).toZonedDateTime(from.timeZoneId));
  // Samoa had no 30 December 2011.
  const real = begun.filter((start, i) => start.toPlainDate().toString() === labels[i]);
  return {
    unit: 'day',
    labels: real.map((start) => start.toPlainDate().toString()),
    starts: real.map((start) => start.epochMilliseconds / 1000),
  };
}

const dayNumber = ({ year, month, day }: Temporal.ZonedDateTime): number => Date.UTC(year, month - 1, day);

function hours(from: Temporal.ZonedDateTime, to: Temporal.ZonedDateTime): Buckets {
  const labels: string[] = [];
  const starts: number[] = [];
  const last = floorToHour(to).epochMilliseconds;
  let hour = floorToHour(from);
  while (hour.epochMilliseconds <= last) {
    labels.push(hour.toPlainDateTime().toString({ smallestUnit: 'second' }).replace('T', ' '));
    starts.push(hour.epochMilliseconds / 1000);
    const next = hour.add({ hours: 1 });
    const floored = floorToHour(next);
    // Lord Howe sets its clock back by half an hour: what follows is a bucket of half an hour.
    hour = floored.epochMilliseconds > hour.epochMilliseconds ? floored : next;
  }
  return { unit: 'hour', labels, starts };
}

const floorToHour = (at: Temporal.ZonedDateTime): Temporal.ZonedDateTime =>
  at.with({ minute: 0, second: 0, millisecond: 0, microsecond: 0, nanosecond: 0 });

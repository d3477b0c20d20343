import type { Temporal } from 'temporal-polyfill';
import type { MetricsWindow } from './window.ts';

/**
 * The buckets of a window: every hour or day of the project's time zone from the one that holds `from` to the one that
 * holds `to` (contract.md §11.1). `labels` are wall clock. Each row of the warehouse belongs to a key: the label of a day,
 * or the second since the epoch at which an hour begins. Hours are real ones: the hour that a zone repeats is two buckets with
 * one label, the hour it skips is none.
 */
export type Buckets =
  | { readonly unit: 'day'; readonly labels: readonly string[] }
  | { readonly unit: 'hour'; readonly labels: readonly string[]; readonly starts: readonly number[] };

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Hours when the window is shorter than two days, else days. Empty when it ends before it begins. */
export function bucketsOf({ from, to }: MetricsWindow, zone: string): Buckets {
  const first = from.toZonedDateTimeISO(zone);
  const last = to.toZonedDateTimeISO(zone);
  return to.epochMilliseconds - from.epochMilliseconds < 2 * DAY_MS ? hours(first, last) : days(first, last);
}

function days(from: Temporal.ZonedDateTime, to: Temporal.ZonedDateTime): Buckets {
  const labels: string[] = [];
  // A window of four hundred years has 146,000 days: plain numbers, no calendar.
  const last = dayNumber(to);
  for (let day = dayNumber(from); day <= last; day += DAY_MS)
    labels.push(new Date(day).toISOString().slice(0, 10));
  return { unit: 'day', labels };
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

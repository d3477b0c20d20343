import { Temporal } from 'temporal-polyfill';
import { SluiceError } from '../../errors/error.ts';
import { parseDateTime } from '../../http/dates.ts';
import { type Cadence, isCalendar, offsetDay, startOfLocalDay } from '../schedule/intervals.ts';

/** What a moment can be at all (`parseDateTime`). */
const EARLIEST = Date.parse('0001-01-01T00:00:00Z');
const HAS_OFFSET = /[T ].*(?:Z|[+-]\d{2}(?::?\d{2})?)$/i;

/**
 * A bound of a backfill, in milliseconds since the epoch (contract.md §8.2 check 4). Exports by the hour and below take a moment
 * with its offset; by the day or week a calendar date, which begins at the export's own hour in its time zone. Throws 400
 * invalid_input, attr null.
 */
export function readBound(cadence: Cadence, name: 'start_at' | 'end_at', text: unknown): number {
  return isCalendar(cadence.interval) ? readDay(cadence, name, text) : readMoment(name, text);
}

function readMoment(name: string, text: unknown): number {
  const instant =
    typeof text === 'string' && HAS_OFFSET.test(text.trim()) ? parseDateTime(text, 'UTC') : null;
  if (instant) return instant.epochMilliseconds;
  throw refuse(`${name} must be an ISO 8601 moment with its offset, like 2026-01-31T08:00:00+00:00.`);
}

function readDay(cadence: Cadence, name: string, text: unknown): number {
  const date = typeof text === 'string' ? plainDate(text.trim()) : null;
  if (!date) throw refuse(`${name} must be a calendar date, like 2026-01-31.`);
  if (cadence.interval === 'week' && date.dayOfWeek % 7 !== offsetDay(cadence.offsetSeconds)) {
    throw refuse(`${name} must be a day on which a week of this export begins.`);
  }
  const start = startOfLocalDay(cadence, date);
  if (start < EARLIEST) throw refuse(`${name} must not be before the year 1 (UTC).`);
  return start;
}

function plainDate(text: string): Temporal.PlainDate | null {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return null;
  try {
    return Temporal.PlainDate.from(text);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

const refuse = (detail: string): SluiceError => new SluiceError('invalid_input', { detail });

import { SluiceError } from '../errors/error.ts';
import type { EventRow } from './rows.ts';

/** Thirty days, microseconds: near enough, and needs no calendar. */
const MONTH = 30 * 86_400 * 1_000_000;
/** 33 years. Each month becomes a part of its own in ClickHouse: 1,500 keep one of two inserts busy for tens of seconds. */
const MOST_MONTHS = 400;

/** Throws `request_too_large` for events of too many months; posthog-node sends such a batch again in halves. */
export function refuseManyMonths(events: readonly Pick<EventRow, 'timestampMicros'>[]): void {
  const months = new Set<number>();
  for (const { timestampMicros } of events) months.add(Math.floor(timestampMicros / MONTH));
  if (months.size <= MOST_MONTHS) return;
  throw new SluiceError('request_too_large', {
    detail: `The events of one request may be of ${MOST_MONTHS} months at most; send them in several.`,
  });
}

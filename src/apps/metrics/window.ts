import { Temporal } from 'temporal-polyfill';
import { resolveDate } from '../../http/dates.ts';

/** What app metrics are read for: `from ≤ timestamp < to`. */
export interface MetricsWindow {
  readonly from: Temporal.Instant;
  readonly to: Temporal.Instant;
}

export interface Dates {
  readonly date_from?: string | undefined;
  readonly date_to?: string | undefined;
}

export interface Place {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The project's IANA time zone. */
  readonly zone: string;
}

const DEFAULT_FROM = '-30d';
/** What the column holds. */
const EARLIEST = Temporal.Instant.from('1900-01-01T00:00:00Z');
const LATEST = Temporal.Instant.from('2299-12-31T23:59:59.999999Z');

/**
 * Relative dates are floored when they are for an app, not when they are for the runs of a batch export; no
 * `date_to` is this very moment (contract.md §2.4, §11.1).
 */
export function windowOf({ date_from, date_to }: Dates, place: Place, truncate: boolean): MetricsWindow {
  const context = { ...place, truncate };
  return {
    from: clamp(resolveDate(date_from ?? DEFAULT_FROM, context)),
    to: clamp(
      date_to === undefined
        ? Temporal.Instant.fromEpochMilliseconds(place.now)
        : resolveDate(date_to, context),
    ),
  };
}

function clamp(instant: Temporal.Instant): Temporal.Instant {
  if (Temporal.Instant.compare(instant, EARLIEST) < 0) return EARLIEST;
  return Temporal.Instant.compare(instant, LATEST) > 0 ? LATEST : instant;
}

/** As ClickHouse reads a `DateTime64(6, 'UTC')`. */
export const toDateTime64 = (instant: Temporal.Instant): string =>
  instant.toString({ fractionalSecondDigits: 6 }).replace('T', ' ').replace('Z', '');

/** The other way round, as answers carry it (contract.md §1.1): `2021-12-04 00:00:00.000000` → `2021-12-04T00:00:00Z`. */
export const isoOfDateTime64 = (text: string): string => `${text.replace(' ', 'T').replace(/\.0+$/, '')}Z`;

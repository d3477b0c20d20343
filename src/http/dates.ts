import { Temporal } from 'temporal-polyfill';

/**
 * The date grammar of query parameters (contract.md §2). Pure: the moment and the zone are parameters.
 *
 * Instants carry nanoseconds; `dEnd` and the like end in .999999, the resolution of stored timestamps.
 */
export interface DateContext {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The project's IANA time zone. */
  readonly zone: string;
  /** Floor relative values to the hour (shifts in hours) or to local midnight (contract.md §2 rule 4). */
  readonly truncate?: boolean;
}

const ABSOLUTE =
  /^(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?|(\d{2})(\d{2}))?(?:[Tt ](\d{2})(?::?(\d{2})(?::?(\d{2})(?:[.,](\d{1,9})\d*)?)?)?\s*(?:([Zz])|([+\- ])(\d{2})(?::?(\d{2}))?)?)?$/;
/** Digits are looked at from the first of them on, or thousands that mean nothing would be looked at from each. */
const RELATIVE = /-?(?<!\d)(\d+)?([hdwmqysHDWMQY])(Start|End)?/;

const EPOCH = Temporal.Instant.fromEpochMilliseconds(0);
const EARLIEST = Temporal.Instant.from('0001-01-01T00:00:00Z');
const LATEST = Temporal.Instant.from('9999-12-31T23:59:59.999999Z');

/** Never fails: text that means nothing means now. Always between the years 1 and 9999. */
export function resolveDate(text: string, context: DateContext): Temporal.Instant {
  const zone = known(context.zone);
  const absolute = readAbsolute(text, zone);
  if (absolute) return clamp(absolute);
  const now = Temporal.Instant.fromEpochMilliseconds(context.now).toZonedDateTimeISO(zone);
  const match = RELATIVE.exec(text);
  if (!match) return now.toInstant();
  const [, digits, kind = '', position] = match;
  try {
    const amount = digits === undefined ? 0 : Number(digits);
    const shifted = place(kind, position, now.subtract(shift(kind, amount)));
    return clamp(
      (context.truncate ? truncate(shifted, kind === 'h' && digits !== undefined) : shifted).toInstant(),
    );
  } catch (error) {
    // Further back than the calendar goes.
    if (error instanceof RangeError) return EARLIEST;
    throw error;
  }
}

/** What one kind of shift subtracts; capital letters other than M are read and mean nothing. */
function shift(kind: string, amount: number): Temporal.DurationLike {
  switch (kind) {
    case 'h':
      return { hours: amount };
    case 'd':
      return { days: amount };
    case 'w':
      return { weeks: amount };
    case 'm':
      return { months: amount };
    case 'q':
      return { weeks: 13 * amount };
    case 'y':
      return { years: amount };
    case 's':
      return { seconds: amount };
    case 'M':
      return { minutes: amount };
    default:
      return { hours: 0 };
  }
}

const HOUR_START = { minute: 0, second: 0, millisecond: 0, microsecond: 0, nanosecond: 0 };
const HOUR_END = { minute: 59, second: 59, millisecond: 999, microsecond: 999, nanosecond: 0 };

/** `Start` and `End` set fields after the shift (contract.md §2 rule 3); `with` clamps day 31. */
function place(
  kind: string,
  position: string | undefined,
  at: Temporal.ZonedDateTime,
): Temporal.ZonedDateTime {
  switch (`${kind}${position ?? ''}`) {
    case 'hStart':
      return at.with(HOUR_START);
    case 'hEnd':
      return at.with(HOUR_END);
    case 'dStart':
      return at.startOfDay();
    case 'dEnd':
      // The clock may be set in the day's last hour: it comes twice (Santiago), or not at all (Nuuk).
      return at.add({ days: 1 }).startOfDay().subtract({ microseconds: 1 });
    case 'mStart':
      return at.with({ day: 1 });
    case 'mEnd':
    case 'yEnd':
      return at.with({ day: 31 });
    case 'yStart':
      return at.with({ month: 1, day: 1 });
    default:
      return at;
  }
}

function truncate(at: Temporal.ZonedDateTime, toHour: boolean): Temporal.ZonedDateTime {
  return toHour ? at.with(HOUR_START) : at.startOfDay();
}

/**
 * An absolute date or moment: ISO-8601 extended or basic, unpadded dates, a space for the `T`. Without an
 * offset it is read in `zone`. A `+` that a query string turned into a space is understood. Null when the
 * text is none of these, names no real moment (`2026-02-30`) or one outside the years 1 to 9999 UTC, which
 * databases do not take.
 */
export function parseDateTime(text: string, zone: string): Temporal.Instant | null {
  const instant = readAbsolute(text, zone);
  return instant && Temporal.Instant.compare(instant, clamp(instant)) === 0 ? instant : null;
}

/** The first stored time, which has whole milliseconds, that is not before an instant; of the last of all years its last. */
export function firstStored(instant: Temporal.Instant): Date {
  const ms = Math.ceil(Number(instant.epochNanoseconds / 1000n) / 1000);
  return new Date(Math.min(ms, LATEST.epochMilliseconds));
}

function readAbsolute(text: string, zone: string): Temporal.Instant | null {
  const match = ABSOLUTE.exec(text.trim());
  if (!match) return null;
  const [
    ,
    year,
    month,
    day,
    basicMonth,
    basicDay,
    hour,
    minute,
    second,
    fraction,
    z,
    sign,
    offHour,
    offMinute,
  ] = match;
  try {
    const local = Temporal.PlainDateTime.from(
      {
        year: Number(year),
        month: Number(month ?? basicMonth ?? 1),
        day: Number(day ?? basicDay ?? 1),
        hour: Number(hour ?? 0),
        minute: Number(minute ?? 0),
        second: Number(second ?? 0),
        ...fractionFields(fraction),
      },
      { overflow: 'reject' },
    );
    const offset = z ? 'UTC' : offHour ? `${sign === '-' ? '-' : '+'}${offHour}:${offMinute ?? '00'}` : zone;
    return local.toZonedDateTime(offset).toInstant();
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** The name, or UTC for one that is none: an earlier version may have stored it. */
function known(zone: string): string {
  try {
    EPOCH.toZonedDateTimeISO(zone);
    return zone;
  } catch {
    return 'UTC';
  }
}

/** Microseconds at most, as stored. */
function fractionFields(fraction = ''): { millisecond: number; microsecond: number } {
  const digits = fraction.padEnd(6, '0');
  return { millisecond: Number(digits.slice(0, 3)), microsecond: Number(digits.slice(3, 6)) };
}

function clamp(instant: Temporal.Instant): Temporal.Instant {
  if (Temporal.Instant.compare(instant, EARLIEST) < 0) return EARLIEST;
  return Temporal.Instant.compare(instant, LATEST) > 0 ? LATEST : instant;
}

/**
 * A name of the tz database, aliases included, spelled as there; not the bare offsets, nor names in any case, nor short ones
 * of its own (PST, IST), which the platform takes, too.
 */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Z]/.test(name) || known(name) !== name) return false;
  try {
    const { timeZone } = new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions();
    return timeZone === name || timeZone.toLowerCase() !== name.toLowerCase();
  } catch {
    return false;
  }
}

/** Times of events, in microseconds since the Unix epoch (whole numbers: exact up to the year 2255). */

const MICROS_PER_MS = 1000;
/** A timestamp further ahead than this becomes the time of arrival (PostHog's rule: 23 hours). */
const FUTURE_LIMIT_MICROS = 23 * 3600 * 1_000_000;
/** What ClickHouse's DateTime64(6) can hold begins in 1900; earlier becomes the epoch, as in PostHog. */
const EARLIEST_MICROS = Date.UTC(1900, 0, 1) * MICROS_PER_MS;

/**
 * Characters. JavaScript's longest spelling has about 70; the patterns below go back over a text again and again, which the
 * length of a request must not decide.
 */
const LONGEST = 128;

const DAYS_OF_400_YEARS = 146_097;

const ISO =
  /^(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9})\d*)?)?)?\s*(Z|[+-]\d{2}(?::?\d{2})?)?$/i;

const MONTH = '(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*';
/**
 * A day with a year of four digits, as in `Sun, 01 Mar 2026`, `Mar 1, 2026`, `Mar 1 10:00:00 UTC 2026`, `2026/3/1`,
 * `3/1/2026`. JavaScript finds a time in `order 12`, too.
 */
const SPELLED_DAY = new RegExp(
  `^(?:[a-z]{3,9},?\\s+)?(?:\\d{4}[-/]\\d{1,2}[-/]\\d{1,2}|\\d{1,2}/\\d{1,2}/\\d{4}|\\d{1,2}[ -]${MONTH},?[ -]\\d{4}|${MONTH} +\\d{1,2},? +\\d{4}|${MONTH} +\\d{1,2} +\\d{1,2}:\\d\\d.* \\d{4}$)(?!\\d)`,
  'i',
);
/** A time of day with a zone at its end, but for a year; JavaScript would take the machine's zone for text without. */
const ZONED = /\d:\d\d.*(?:z|utc|gmt|[ecmp][sd]t|[+-]\d{1,2}(?::?\d\d)?)\s*(?:\([^)]*\))?(?: \d{4})?$/i;

/**
 * Reads what clients send as a time: ISO 8601 with up to nine decimals, 24:00 for the end of a day, and any
 * spelling of the zone (none = UTC), seconds or milliseconds since the epoch, or another spelling JavaScript knows of a day
 * with four digits of year (RFC 2822; no zone = UTC). `null` when it is none of these.
 */
export function parseMicros(value: unknown): number | null {
  if (typeof value === 'number') return fromNumber(value);
  if (typeof value !== 'string') return null;
  const text = value.trim();
  if (text.length > LONGEST) return null;
  const iso = ISO.exec(text);
  if (iso) return fromIso(iso);
  if (/^\d{9,16}(\.\d+)?$/.test(text)) return fromNumber(Number(text));
  if (!SPELLED_DAY.test(text)) return null;
  const other = Date.parse(ZONED.test(text) ? text : `${text} UTC`);
  return Number.isNaN(other) ? null : other * MICROS_PER_MS;
}

/** Below 10¹¹ it is seconds (until the year 5138), above milliseconds, above 10¹⁴ microseconds. */
function fromNumber(value: number): number | null {
  if (!Number.isFinite(value) || Math.abs(value) > 9e15) return null;
  if (Math.abs(value) < 1e11) return Math.round(value * 1e6);
  return Math.abs(value) < 1e14 ? Math.round(value * MICROS_PER_MS) : Math.round(value);
}

function fromIso(parts: RegExpExecArray): number | null {
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', zone = 'Z'] = parts;
  const isDaysEnd = Number(hour) === 24 && Number(minute) + Number(second) + Number(fraction) === 0;
  if ((Number(hour) > 23 && !isDaysEnd) || Number(minute) > 59 || Number(second) > 59) return null;
  const start = dayStart(Number(year), Number(month), Number(day));
  if (start === null) return null;
  const seconds = Number(hour) * 3600 + Number(minute) * 60 + Number(second);
  const micros = Number(fraction.slice(0, 6).padEnd(6, '0'));
  return start * MICROS_PER_MS + (seconds - zoneMinutes(zone) * 60) * 1_000_000 + micros;
}

/**
 * Milliseconds. Null for a day that does not exist (31 June), which JavaScript would roll over; a client that sends one
 * is wrong.
 */
function dayStart(year: number, month: number, day: number): number | null {
  // Date.UTC takes the first hundred years for those of the last century; 400 years always have as many days.
  const at = Date.UTC(year + 400, month - 1, day);
  const date = new Date(at);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return null;
  return at - DAYS_OF_400_YEARS * 86_400_000;
}

function zoneMinutes(zone: string): number {
  if (zone === 'Z' || zone === 'z') return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3).replace(':', '') || 0);
  return zone.startsWith('-') ? -minutes : minutes;
}

export interface ClientTimes {
  /** As sent: text or number; absent = the event happened now. */
  readonly timestamp: unknown;
  /** Milliseconds between the event and the sending, an old way to say when it happened. */
  readonly offset: unknown;
  /** When the client's clock said it sent the request; null when unknown or to be ignored. */
  readonly sentAtMicros: number | null;
}

/**
 * When an event happened by the server's clock. The client's clock may be wrong, but by the same
 * amount in `timestamp` and `sent_at`: so now + (timestamp − sent_at). `offset` wins over both. Events
 * more than 23 hours ahead happen now; those before 1900 at the epoch (PostHog's rules).
 */
export function eventMicros(times: ClientTimes, nowMicros: number): number {
  let micros = nowMicros;
  const timestamp = parseMicros(times.timestamp);
  if (timestamp !== null) {
    micros = times.sentAtMicros === null ? timestamp : nowMicros + (timestamp - times.sentAtMicros);
  }
  if (typeof times.offset === 'number' && Number.isFinite(times.offset)) {
    micros = nowMicros - Math.round(times.offset * MICROS_PER_MS);
  }
  if (micros > nowMicros + FUTURE_LIMIT_MICROS) return nowMicros;
  return micros < EARLIEST_MICROS ? 0 : micros;
}

/**
 * ISO-8601 UTC as answers carry it: microseconds only when there are any (contract.md §1.1),
 * `2026-01-01T00:00:00Z` or `2026-01-01T00:00:00.123000Z`. `extraMicroseconds` are those a Date cannot hold.
 * Throws RangeError for an invalid date.
 */
export function formatTimestamp(date: Date, extraMicroseconds = 0): string {
  const micros = date.getUTCMilliseconds() * 1000 + extraMicroseconds;
  const whole = wholeSeconds(date);
  return micros === 0 ? `${whole}Z` : `${whole}.${String(micros).padStart(6, '0')}Z`;
}

/** From its fields: a page of 100 exports has thousands of moments, and `toISOString` takes 0.47 µs for each instead of 0.19. */
function wholeSeconds(date: Date): string {
  const year = date.getUTCFullYear();
  if (!(year >= 1000 && year <= 9999)) return date.toISOString().replace(/\..*$/, '');
  const day = `${year}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`;
  return `${day}T${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
}

const two = (number: number): string => (number < 10 ? `0${number}` : String(number));

/** A moment, or the text of one as answers carry it. */
export type Moment = Date | string;

/** The text of a moment; null stays null. */
export function formatMoment(moment: Moment): string;
export function formatMoment(moment: Moment | null): string | null;
export function formatMoment(moment: Moment | null): string | null {
  return moment instanceof Date ? formatTimestamp(moment) : moment;
}

/**
 * As Postgres writes a timestamp in JSON, in UTC without its name (`2026-01-01T00:00:00.12`): the text of answers, without
 * a Date in between, which takes ten times as long.
 */
export function formatJsonTimestamp(text: string): string {
  const dot = text.indexOf('.');
  return dot < 0 ? `${text}Z` : `${text}${'0'.repeat(7 - (text.length - dot))}Z`;
}

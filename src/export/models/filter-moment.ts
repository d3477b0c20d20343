const DAY = 86_400_000;
const RELATIVE = /^-?(\d{1,5})([hdwmqysHDWMQY])$/;
const DATE = /^\d{4}-\d{2}-\d{2}$/;
const TIME = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?$/;

/**
 * What a date in a filter stands for, milliseconds since the epoch: a date (its midnight, UTC), a time (UTC unless it
 * says otherwise), or a span before `now`: `-7d`; hours, days, weeks, months, quarters of 13 weeks, years, seconds, `M`
 * for minutes, and other capitals for no shift at all (contract.md §2). Null when it is none of these.
 */
export function momentOf(text: string, now: number): number | null {
  const relative = RELATIVE.exec(text);
  if (relative) return known(before(now, Number(relative[1]), relative[2] ?? ''));
  if (DATE.test(text)) return known(Date.parse(`${text}T00:00:00Z`));
  const time = TIME.exec(text);
  return time && known(Date.parse(text.replace(' ', 'T') + (time[1] ? '' : 'Z')));
}

function before(now: number, count: number, unit: string): number {
  const spans: Readonly<Record<string, number>> = {
    s: 1_000,
    M: 60_000,
    h: 3_600_000,
    d: DAY,
    w: 7 * DAY,
    q: 91 * DAY,
  };
  const span = spans[unit];
  if (span !== undefined) return now - count * span;
  if (unit !== 'm' && unit !== 'y') return now;
  const date = new Date(now);
  const day = date.getUTCDate();
  date.setUTCDate(1);
  date.setUTCMonth(date.getUTCMonth() - (unit === 'y' ? 12 * count : count));
  // The 31st of a month that has none is its last day.
  const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  date.setUTCDate(Math.min(day, last));
  return date.getTime();
}

const known = (at: number): number | null => (Number.isNaN(at) ? null : at);

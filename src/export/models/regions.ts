import type { Region } from '../../database/tables.ts';
import { and, type Fragment } from './fragment.ts';

/** The SQL of the two axes of a region, spelled as the table's indexes know them. */
export interface Axes {
  readonly arrival: string;
  readonly event: string;
}

/**
 * Rows inside `region` and inside none of `excludes`: half open on both axes to the microsecond, unbounded
 * sides left out. Every comparison is one of an axis with a constant, which partitions and indexes understand, but for ranges of
 * event time that reach over 1970: the table's key has `toDate(timestamp)`, which of earlier days is one of the 22nd century, and
 * an index that compares it would pass over rows.
 */
export function inRegions(axes: Axes, region: Region, excludes: readonly Region[]): Fragment {
  const parts = [inside(axes, region, 'r')];
  excludes.forEach((exclude, index) => {
    const { sql, params } = inside(axes, exclude, `x${index}`);
    parts.push({ sql: `NOT (${sql})`, params });
  });
  return and(parts);
}

function inside(axes: Axes, region: Region, name: string): Fragment {
  const { eventFrom, eventTo } = region;
  const event = reachesOver1970(eventFrom, eventTo) ? withoutIndex(axes.event) : axes.event;
  return and([
    ...side(axes.arrival, '>=', region.arrivalFrom, `${name}_arrival_from`),
    ...side(axes.arrival, '<', region.arrivalTo, `${name}_arrival_to`),
    ...side(event, '>=', eventFrom, `${name}_event_from`),
    ...side(event, '<', eventTo, `${name}_event_to`),
  ]);
}

/** Also up to its first moment, whose day is the smallest there is. */
function reachesOver1970(from: number | null, to: number | null): boolean {
  if (from === null && to === null) return false;
  return (from ?? Number.NEGATIVE_INFINITY) < 0 && (to ?? Number.POSITIVE_INFINITY) >= 0;
}

/** `identity` is ClickHouse's own way to keep an index out of it. */
const withoutIndex = (axis: string): string => `identity(${axis})`;

function side(axis: string, operator: string, ms: number | null, name: string): Fragment[] {
  if (ms === null) return [];
  return [
    { sql: `${axis} ${operator} fromUnixTimestamp64Milli({${name}:Int64}, 'UTC')`, params: { [name]: ms } },
  ];
}

import type { Region } from '../../database/tables.ts';
import { and, type Fragment } from './fragment.ts';

/** The SQL of the two axes of a region, spelled as the table's indexes know them. */
export interface Axes {
  readonly arrival: string;
  readonly event: string;
}

/**
 * Rows inside `region` and inside none of `excludes`: half open on both axes to the microsecond, unbounded sides left
 * out. Bounds of event time between which the table's key can tell all days apart are compared as they are, which
 * partitions and the key understand; all others as numbers, of which the key knows nothing.
 */
export function inRegions(axes: Axes, region: Region, excludes: readonly Region[]): Fragment {
  const { eventFrom, eventTo } = region;
  const parts = [inside(axes, region, 'r', daysWrap(eventFrom, eventTo) ? asNumber : asTime)];
  excludes.forEach((exclude, index) => {
    // Outside of a range are the days on both its sides, however far.
    const { sql, params } = inside(axes, exclude, `x${index}`, asNumber);
    parts.push({ sql: `NOT (${sql})`, params });
  });
  return and(parts);
}

function inside(axes: Axes, region: Region, name: string, compare: Compare): Fragment {
  return and([
    ...side(asTime, axes.arrival, '>=', region.arrivalFrom, `${name}_arrival_from`),
    ...side(asTime, axes.arrival, '<', region.arrivalTo, `${name}_arrival_to`),
    ...side(compare, axes.event, '>=', region.eventFrom, `${name}_event_from`),
    ...side(compare, axes.event, '<', region.eventTo, `${name}_event_to`),
  ]);
}

/** Days are 16 bits in the table's key: 1969-12-31 is one with 2149-06-06, and 2149-06-07 with 1970-01-01. */
const DAYS_MS = 65_536 * 86_400_000;

/**
 * Whether the key's `toDate(timestamp)` starts anew between these bounds, so that an index that compares it would pass
 * over rows. Also when it does so at the end itself, whose day is then the smallest there is; without an end it does.
 */
function daysWrap(from: number | null, to: number | null): boolean {
  const era = (ms: number): number => Math.floor(ms / DAYS_MS);
  return era(from ?? Number.NEGATIVE_INFINITY) !== era(to ?? Number.POSITIVE_INFINITY);
}

type Compare = (axis: string, operator: string, ms: string) => string;

const asTime: Compare = (axis, operator, ms) => `${axis} ${operator} fromUnixTimestamp64Milli(${ms}, 'UTC')`;

/**
 * Parts are still left out by the times they hold: an open end reads whole months from its beginning on (of 16 months
 * 103 granules of 251; the key would leave 93, `identity` all). `toYear` and `toYYYYMM` would not do: ClickHouse 26.7
 * translates them back into times, and these into days.
 */
const asNumber: Compare = (axis, operator, ms) => `toUnixTimestamp64Micro(${axis}) ${operator} ${ms} * 1000`;

function side(compare: Compare, axis: string, operator: string, ms: number | null, name: string): Fragment[] {
  if (ms === null) return [];
  return [{ sql: compare(axis, operator, `{${name}:Int64}`), params: { [name]: ms } }];
}

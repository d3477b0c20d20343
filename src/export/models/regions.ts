import type { Region } from '../../database/tables.ts';
import { and, type Fragment } from './fragment.ts';

/** The SQL of the two axes of a region, spelled as the table's indexes know them. */
export interface Axes {
  readonly arrival: string;
  readonly event: string;
}

/**
 * Rows inside `region` and inside none of `excludes`: half open on both axes to the microsecond, unbounded
 * sides left out. Every comparison is one of an axis with a constant, which partitions and indexes understand.
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
  return and([
    ...side(axes.arrival, '>=', region.arrivalFrom, `${name}_arrival_from`),
    ...side(axes.arrival, '<', region.arrivalTo, `${name}_arrival_to`),
    ...side(axes.event, '>=', region.eventFrom, `${name}_event_from`),
    ...side(axes.event, '<', region.eventTo, `${name}_event_to`),
  ]);
}

function side(axis: string, operator: string, ms: number | null, name: string): Fragment[] {
  if (ms === null) return [];
  return [
    { sql: `${axis} ${operator} fromUnixTimestamp64Milli({${name}:Int64}, 'UTC')`, params: { [name]: ms } },
  ];
}

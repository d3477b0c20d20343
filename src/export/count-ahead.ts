import type { Warehouse } from '../warehouse/warehouse.ts';
import { type TallyRow, tallyColumns, tallyOf } from './fingerprint.ts';
import { type EventsSpec, eventsSource } from './models/events.ts';
import { SPILL_SETTINGS } from './models/rows.ts';
import type { Tally } from './spec.ts';

/** More rows than this are not few: they are counted run by run. About 50 MB and 50 ms in the engine. */
export const FEW_ROWS = 500_000;

/** What was found in one interval; null when rows of it are stored more than once, and it must be looked at by itself. */
export type CountedAhead = ReadonlyMap<number, Tally | null>;

/**
 * Counts many intervals of event time in one scan: `starts` are their beginnings in order, in milliseconds, and the last
 * one ends where the region of `spec` does. An interval without rows is absent. Null when there are more than `FEW_ROWS`.
 */
export async function countAhead(
  warehouse: Pick<Warehouse, 'rows'>,
  spec: EventsSpec,
  starts: readonly number[],
): Promise<CountedAhead | null> {
  const { table, where } = eventsSource(spec);
  const rows = await warehouse.rows<
    TallyRow & { start: string | number; stored: string | number; repeated: string | number }
  >({
    sql: `SELECT start, sum(copies) AS stored, countIf(copies > 1) AS repeated, ${tallyColumns('uuid')}
          FROM (SELECT roundDown(toUnixTimestamp64Milli(timestamp), {starts:Array(Int64)}) AS start, uuid,
                       count() AS copies
                  FROM (SELECT timestamp, uuid FROM ${table} WHERE ${where.sql} LIMIT {most:UInt64})
                 GROUP BY start, uuid)
         GROUP BY start`,
    params: { ...where.params, starts, most: FEW_ROWS + 1 },
    settings: SPILL_SETTINGS,
  });
  if (rows.reduce((sum, row) => sum + Number(row.stored), 0) > FEW_ROWS) return null;
  return new Map(rows.map((row) => [Number(row.start), Number(row.repeated) > 0 ? null : tallyOf(row)]));
}

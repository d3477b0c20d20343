import type { Warehouse } from '../warehouse/warehouse.ts';
import { type EventsSpec, eventsSource } from './models/events.ts';

/** What is in a range before it is exported. */
export interface Estimate {
  /** Rows by the bounds and filters of the export; copies of a row that were not merged yet count each. */
  readonly rows: number;
  /** Event time of the first, milliseconds since the epoch; null without rows. */
  readonly first: number | null;
}

/** Whoever asks for a backfill is not kept waiting longer, seconds. */
const PATIENCE_SECONDS = 5;

/** Counts what a run over all of `spec` would export. Throws the warehouse's errors, also when it takes too long. */
export async function estimateEvents(
  warehouse: Pick<Warehouse, 'rows'>,
  spec: EventsSpec,
): Promise<Estimate> {
  const { table, where } = eventsSource(spec);
  const [row] = await warehouse.rows<{ rows: string | number; first: string | number }>({
    sql: `SELECT count() AS rows, min(toUnixTimestamp64Milli(timestamp)) AS first FROM ${table} WHERE ${where.sql}`,
    params: where.params,
    settings: { max_execution_time: PATIENCE_SECONDS },
  });
  const rows = Number(row?.rows ?? 0);
  return { rows, first: rows === 0 ? null : Number(row?.first) };
}

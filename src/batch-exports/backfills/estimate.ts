import type { BatchExportRow } from '../../database/tables.ts';
import { type Estimate, estimateEvents } from '../../export/estimate.ts';
import type { Warehouse } from '../../warehouse/warehouse.ts';
import type { EstimateRange } from '../ports.ts';
import { intervalContaining } from '../schedule/intervals.ts';
import { scheduleOf } from '../schedule/schedule.ts';

/**
 * What a backfill over a range would find (contract.md §13, "estimate"). Null for models that cannot be counted, filters that
 * cannot be evaluated (its runs will say so), and when the warehouse does not answer in time: a backfill does not need it.
 */
export async function estimateBackfill(
  warehouse: Pick<Warehouse, 'rows'>,
  batchExport: BatchExportRow,
  { start, end, arrivalBefore }: EstimateRange,
): Promise<Estimate | null> {
  if (batchExport.model !== 'events') return null;
  const names = (key: string) => (batchExport.destination_config[key] as readonly string[] | undefined) ?? [];
  try {
    return await estimateEvents(warehouse, {
      teamId: batchExport.team_id,
      interval: { start, end: end ?? arrivalBefore },
      region: { arrivalFrom: null, arrivalTo: arrivalBefore, eventFrom: start, eventTo: end },
      excludes: [],
      includeEvents: names('include_events'),
      excludeEvents: names('exclude_events'),
      filters: (batchExport.filters ?? []) as readonly Record<string, unknown>[],
    });
  } catch {
    return null;
  }
}

/**
 * Where the runs of a range begin: its start, or the interval that holds the first row when that is later. `latest` is now: a
 * row from a clock that is ahead belongs to the interval in progress.
 */
export function adjustedStart(
  batchExport: BatchExportRow,
  start: number,
  { first, latest }: Pick<Estimate, 'first'> & { readonly latest: number },
): number {
  if (first === null) return start;
  return Math.max(start, intervalContaining(scheduleOf(batchExport), Math.min(first, latest)).start);
}

import type { BackfillRow, Region } from '../../database/tables.ts';

/** Arrival stamps are finer than our clock: a row of this very millisecond counts as before. */
export const STAMP_MS = 1;

/** Asked for without an end: catches up, then unpauses the export (contract.md §8.2 check 5). */
export const isOpenEnded = (row: Pick<BackfillRow, 'end_at' | 'by_arrival' | 'retry_of'>): boolean =>
  row.end_at === null && !row.by_arrival && row.retry_of === null;

/** Until here an open-ended backfill goes by event time: the moment it was asked for, milliseconds. */
export const lastHappened = (row: Pick<BackfillRow, 'arrival_before'>): number =>
  row.arrival_before.getTime() - STAMP_MS;

/**
 * What a run of an open-ended backfill asks for. The last one by event time takes rows with later timestamps, too:
 * clients' clocks are ahead at times, and such rows arrived before the runs by arrival time begin.
 */
export function openRegion(
  backfill: Pick<BackfillRow, 'arrival_before'>,
  start: number | null,
  end: number,
): Region {
  const seam = backfill.arrival_before.getTime();
  if (start !== null && start >= seam) {
    return { arrivalFrom: start, arrivalTo: end, eventFrom: null, eventTo: null };
  }
  const eventTo = end >= lastHappened(backfill) ? null : end;
  return { arrivalFrom: null, arrivalTo: seam, eventFrom: start, eventTo };
}

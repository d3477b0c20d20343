import type { BatchExportRow } from '../../database/tables.ts';
import type { RunPorts, Trx } from '../ports.ts';
import { snapshotOf } from './snapshot.ts';

export interface NewInterval {
  /** Milliseconds since the epoch; null = from the beginning of time. */
  readonly start: number | null;
  readonly end: number;
}

/** Keeps a statement's parameters (13 per run) far below Postgres's limit of 65,535. */
const CHUNK = 500;

/**
 * Creates the runs of these intervals, with their jobs, in the caller's transaction. An interval that has its
 * run already is left alone (R4). Returns the ids of the runs created, in order.
 */
export async function createRuns(
  trx: Trx,
  ports: Pick<RunPorts, 'newId' | 'enqueue'>,
  batchExport: BatchExportRow,
  intervals: readonly NewInterval[],
  options: { readonly now: number; readonly backfillId: string | null },
): Promise<string[]> {
  const now = new Date(options.now);
  const snapshot = JSON.stringify(snapshotOf(batchExport));
  const created: string[] = [];
  for (let at = 0; at < intervals.length; at += CHUNK) {
    const rows = intervals.slice(at, at + CHUNK).map((interval) => ({
      id: ports.newId(),
      team_id: batchExport.team_id,
      batch_export_id: batchExport.id,
      backfill_id: options.backfillId,
      status: 'Starting',
      data_interval_start: interval.start === null ? null : new Date(interval.start),
      data_interval_end: new Date(interval.end),
      snapshot,
      created_at: now,
      last_updated_at: now,
    }));
    const inserted = await trx
      .insertInto('batch_export_runs')
      .values(rows)
      .onConflict((conflict) => conflict.doNothing())
      .returning('id')
      .execute();
    const ids = inserted.map((row) => row.id);
    if (ids.length > 0) await ports.enqueue(trx, ids);
    created.push(...ids);
  }
  return created;
}

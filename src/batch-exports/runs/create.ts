import type { Insertable } from 'kysely';
import type { BatchExportRow, RunsTable } from '../../database/tables.ts';
import type { RunPorts, Trx } from '../ports.ts';
import { snapshotOf } from './snapshot.ts';

export interface NewInterval {
  /** Milliseconds since the epoch; null = from the beginning of time. */
  readonly start: number | null;
  readonly end: number;
}

/** Keeps a statement's parameters (13 per run) far below Postgres's limit of 65,535. */
const CHUNK = 500;

interface Wanted {
  readonly batchExport: BatchExportRow;
  readonly intervals: readonly NewInterval[];
}

interface Options {
  readonly now: number;
  readonly backfillId: string | null;
  /** Of a download (`RunSnapshot`). */
  readonly arrivalBefore?: number;
}

/**
 * Creates the runs of these intervals, with their jobs, in the caller's transaction. An interval that has its
 * run already is left alone (R4). Returns the ids of the runs created, in order.
 */
export function createRuns(
  trx: Trx,
  ports: Pick<RunPorts, 'newId' | 'enqueue'>,
  batchExport: BatchExportRow,
  intervals: readonly NewInterval[],
  options: Options,
): Promise<string[]> {
  return createRunsOf(trx, ports, [{ batchExport, intervals }], options);
}

/** As `createRuns`, for several exports with few statements. */
export async function createRunsOf(
  trx: Trx,
  ports: Pick<RunPorts, 'newId' | 'enqueue'>,
  wanted: readonly Wanted[],
  options: Options,
): Promise<string[]> {
  const rows = wanted.flatMap((one) => rowsOf(ports, one, options));
  const created: string[] = [];
  for (let at = 0; at < rows.length; at += CHUNK) {
    const inserted = await trx
      .insertInto('batch_export_runs')
      .values(rows.slice(at, at + CHUNK))
      .onConflict((conflict) => conflict.doNothing())
      .returning('id')
      .execute();
    const ids = inserted.map((row) => row.id);
    if (ids.length > 0) await ports.enqueue(trx, ids);
    created.push(...ids);
  }
  return created;
}

function rowsOf(
  ports: Pick<RunPorts, 'newId'>,
  { batchExport, intervals }: Wanted,
  options: Options,
): Insertable<RunsTable>[] {
  const now = new Date(options.now);
  const { arrivalBefore } = options;
  const snapshot = JSON.stringify({ ...snapshotOf(batchExport), arrivalBefore });
  return intervals.map((interval) => ({
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
}

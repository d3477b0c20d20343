import { sql } from 'kysely';
import type { RunRow } from '../../database/tables.ts';
import { FILE_DOWNLOAD } from '../../export/destinations/file-download.ts';
import { isOnDemand } from './snapshot.ts';

/** Of a run, what the API tells. */
export const SHOWN_COLUMNS = [
  'id',
  'batch_export_id',
  'backfill_id',
  'status',
  'records_completed',
  'records_failed',
  'records_total_count',
  'bytes_exported',
  'latest_error',
  'data_interval_start',
  'data_interval_end',
  'attempt',
  'next_attempt_at',
  'proof',
  'created_at',
  'finished_at',
  'last_updated_at',
] as const;

/** What the API tells of a run: a list does without the rest of the row, which is the larger part. */
export type ShownRun = Pick<RunRow, (typeof SHOWN_COLUMNS)[number]> & {
  /** Of a file download. */
  readonly on_demand: boolean;
};

/** The columns of a `ShownRun`, to select from the runs. */
export const SHOWN_RUN = [
  ...SHOWN_COLUMNS,
  sql<boolean>`snapshot #>> '{destination,type}' = ${sql.lit(FILE_DOWNLOAD)}`.as('on_demand'),
] as const;

/** The same of a whole row. */
export const shownRun = (row: RunRow): ShownRun => ({ ...row, on_demand: isOnDemand(row) });

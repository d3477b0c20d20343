import { type RawBuilder, sql } from 'kysely';
import type { RunRow } from '../../database/tables.ts';
import { type PackedRow, packing } from '../packed.ts';
import type { Db, Trx } from '../ports.ts';
import type { Written } from '../present.ts';
import { SHOWN_COLUMNS, type ShownRun } from './shown.ts';

/** Of each export, on its own page and in lists (contract.md §4.1). */
const LATEST = 10;

/** A quarter of a page of exports would be their proofs, which the runs themselves and lists of them have. */
const COLUMNS = SHOWN_COLUMNS.filter((name) => name !== 'proof');

const RUN = packing<Pick<RunRow, (typeof COLUMNS)[number]>>(COLUMNS, [
  'data_interval_start',
  'data_interval_end',
  'next_attempt_at',
  'created_at',
  'finished_at',
  'last_updated_at',
]);

/**
 * The newest runs of the export whose id is `exportId`, newest created first, for `readLatestRuns`; null when there are none.
 * One JSON value: for a page of 100 exports the embedded database takes 18 ms for a row for each run, 9 ms for JSON objects and
 * 6 ms for arrays.
 */
export const latestRunsOf = (exportId: RawBuilder<unknown>): RawBuilder<readonly PackedRow[] | null> => sql`(
  select json_agg(${RUN.from('run')} order by run.created_at desc, run.id desc) from (
    select * from batch_export_runs where batch_export_id = ${exportId}
    order by created_at desc, id desc limit ${sql.lit(LATEST)}
  ) as run)`;

/** They are of no file download, and without their proofs. */
export const readLatestRuns = (packed: readonly PackedRow[] | null): Written<ShownRun>[] =>
  (packed ?? []).map((run) => Object.assign(RUN.read(run), { on_demand: false, proof: null }));

/** The newest runs of an export, newest created first, without their proofs. */
export async function latestRuns(db: Db | Trx, exportId: string): Promise<Written<ShownRun>[]> {
  const { rows } = await sql<{ runs: readonly PackedRow[] | null }>`
    select ${latestRunsOf(sql`${exportId}`)} as runs`.execute(db);
  return readLatestRuns(rows[0]?.runs ?? null);
}

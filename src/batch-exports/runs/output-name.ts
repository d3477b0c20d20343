import { sql } from 'kysely';
import type { Db } from '../ports.ts';
import { askOf } from './ask.ts';
import type { ClaimedRun } from './store.ts';

/**
 * What to append to the names of a run's files, or undefined for upstream's plain names.
 *
 * Two outputs of one export must never share a key when they hold different rows: upstream lets a backfill
 * overwrite the live run's file and loses its late events. So a live run has the plain name, and so has the
 * first backfill of an interval from before the schedule began, which no live run will ever cover; any other
 * backfill run carries its backfill's id. A run that repeats another has the name of the one it repeats.
 */
export async function keySuffix(db: Db, run: ClaimedRun): Promise<string | undefined> {
  if (run.backfillId === null) return undefined;
  const row = await byId(db, run.id);
  const { root } = await askOf(db, row);
  const first = root === row.id ? row : await byId(db, root);
  if (first.backfill_id === null) return undefined;
  const { plain } = await sql<{ plain: boolean }>`
    select data_interval_start is not null
       and data_interval_end <= least(
             (select next_interval_start from batch_exports where id = first.batch_export_id),
             (select min(data_interval_start) from batch_export_runs live
               where live.batch_export_id = first.batch_export_id and live.backfill_id is null))
       and not exists (
             select from batch_export_runs other
               join batch_export_backfills backfill on backfill.id = other.backfill_id
              where other.batch_export_id = first.batch_export_id and other.id < first.id
                and backfill.retry_of is null
                and other.data_interval_end > first.data_interval_start
                and coalesce(other.data_interval_start, '-infinity') < first.data_interval_end)
       as plain
      from batch_export_runs first where first.id = ${first.id}`
    .execute(db)
    .then(({ rows: [only = { plain: false }] }) => only);
  return plain ? undefined : `backfill-${first.backfill_id}`;
}

const byId = (db: Db, id: string) =>
  db.selectFrom('batch_export_runs').selectAll().where('id', '=', id).executeTakeFirstOrThrow();

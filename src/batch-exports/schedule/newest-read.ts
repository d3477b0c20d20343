import { sql } from 'kysely';
import type { Clock } from '../../work/clock.ts';
import type { Db } from '../ports.ts';

const DAY_MS = 86_400_000;

/**
 * Up to when, by arrival, runs may have read, milliseconds since the epoch: the ends of the newest live runs, and what the
 * backfills of ranges take, which for the others is the moment at which they were asked for at most; 0 = none. Events must not be stamped below it, also after the clock was set back.
 * What is more than a day ahead of the clock counts for nothing: new events would be hidden from the exports until that
 * day comes.
 */
export async function newestRead(db: Db, clock: Pick<Clock, 'now'>): Promise<number> {
  const limit = new Date(clock.now() + DAY_MS);
  const { rows } = await sql<{ read: Date | null }>`
    select greatest(
      (select max(newest.data_interval_end) from batch_exports export cross join lateral (
         select data_interval_end from batch_export_runs
          where batch_export_id = export.id and backfill_id is null and data_interval_end < ${limit}::timestamptz
          order by data_interval_end desc limit 1) newest),
      (select max(read) from (
         select case when retry_of is null and not by_arrival then arrival_before
                     else least(arrival_before, created_at + interval '1 millisecond') end as read
           from batch_export_backfills) taken
        where read < ${limit}::timestamptz)
    ) as read`.execute(db);
  return rows[0]?.read?.getTime() ?? 0;
}

/**
 * The newest end of a live run with rows of those, more than a day ahead of the clock, that `newestRead` leaves out,
 * milliseconds since the epoch; 0 = none. Runs without rows are put right at the start (set-right.ts).
 */
export async function newestReadAhead(db: Db, clock: Pick<Clock, 'now'>): Promise<number> {
  const limit = new Date(clock.now() + DAY_MS);
  const { rows } = await sql<{ read: Date | null }>`
    select max(ahead.data_interval_end) as read from batch_exports export cross join lateral (
      select data_interval_end, records_completed from batch_export_runs
       where batch_export_id = export.id and backfill_id is null and data_interval_end >= ${limit}::timestamptz
       order by data_interval_end desc limit 1) ahead
     where ahead.records_completed > 0`.execute(db);
  return rows[0]?.read?.getTime() ?? 0;
}

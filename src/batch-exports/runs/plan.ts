import { sql } from 'kysely';
import type { Region } from '../../database/tables.ts';
import type { Db, Trx } from '../ports.ts';
import { askOf } from './ask.ts';
import { lockExportOf } from './lock.ts';
import { LONGEST_INTERVAL_MS } from './longest-interval.ts';
import { HOLDING_RUN_STATES } from './machine.ts';
import { outputSuffix } from './output-name.ts';
import { type Plan, planRegions } from './regions.ts';
import { type Claim, runById, write } from './store.ts';

/**
 * Fixes which rows the claimed run delivers and the name of its output, at its first plan; later attempts get the same
 * answers (R5, R8). Under a lock on the export's row, so that no row and no name is given to two runs (R6). Throws
 * `run_superseded`, `run_cancelled`.
 */
export async function fixPlan(db: Db, claim: Claim, now: number): Promise<Plan> {
  return db.transaction().execute(async (trx) => {
    const exportId = await lockExportOf(trx, claim.id);
    const run = await runById(trx, claim.id);
    const { region, root } = await askOf(trx, run);
    // Only events are append-only; the others merge by key, and a row asked for twice is harmless.
    const others =
      run.region || run.snapshot.model !== 'events' ? [] : await othersPlans(trx, exportId, root, region);
    const plan = run.region ? { region, excludes: run.excludes ?? [] } : planRegions(region, others);
    await write(trx, claim, {
      region: JSON.stringify(plan.region),
      excludes: JSON.stringify(plan.excludes),
      key_suffix: run.key_suffix ?? (await outputSuffix(trx, run, root)),
      last_updated_at: new Date(now),
    });
    return plan;
  });
}

/** What other outputs of the export hold within reach of `region`. */
async function othersPlans(trx: Trx, exportId: string, root: string, region: Region): Promise<Plan[]> {
  const arrives = sql`
    coalesce(arrival_from < ${region.arrivalTo}::bigint, true)
    and coalesce(arrival_to > ${region.arrivalFrom}::bigint, true)`;
  const happens = sql`
    coalesce((region->>'eventFrom')::bigint < ${region.eventTo}::bigint, true)
    and coalesce((region->>'eventTo')::bigint > ${region.eventFrom}::bigint, true)`;
  // A year of five-minute runs is 105,120 rows and one contiguous stretch of time: the database joins them.
  const found = await sql<Plan>`
    with held as (
      select region, excludes,
             (region->>'arrivalFrom')::bigint as arrival_from,
             (region->>'arrivalTo')::bigint as arrival_to,
             excludes = '[]' and region->>'eventFrom' is null and region->>'eventTo' is null
               and region->>'arrivalFrom' is not null and region->>'arrivalTo' is not null as plain
        from (${liveRuns(exportId, root, region)} union all ${runsOfBackfills(exportId, root, region)}) run
       where status in (${sql.join(HOLDING_RUN_STATES)}) and region is not null),
    marked as (
      select arrival_from, arrival_to,
             coalesce(arrival_from > max(arrival_to) over (order by arrival_from, arrival_to
               rows between unbounded preceding and 1 preceding), true)::int as gap
        from held where plain and ${arrives}),
    numbered as (
      select arrival_from, arrival_to,
             sum(gap) over (order by arrival_from, arrival_to rows unbounded preceding) as stretch
        from marked)
    select jsonb_build_object('arrivalFrom', min(arrival_from), 'arrivalTo', max(arrival_to),
             'eventFrom', null, 'eventTo', null) as region,
           '[]'::jsonb as excludes
      from numbered group by stretch
    union all
    select region, excludes from held where not plain and ${arrives} and ${happens}`.execute(trx);
  return found.rows;
}

/**
 * Runs of the schedule that may have to do with `region`: theirs is their interval, by arrival, so the index over the intervals'
 * ends finds them. A download has an export of its own.
 */
function liveRuns(exportId: string, root: string, { arrivalFrom, arrivalTo }: Region) {
  return sql`
    select status, region, excludes from batch_export_runs
     where batch_export_id = ${exportId} and backfill_id is null and id <> ${root}
       and data_interval_end > ${after(arrivalFrom)} and data_interval_end < ${longBefore(arrivalTo)}`;
}

/**
 * Runs of backfills that may have to do with `region`, backfill by backfill, by the index over the ends of its intervals. Theirs
 * is their interval as well: by arrival where it makes up for a pause; else by event time, and nothing that arrived from
 * `arrival_before` on. Two go by more than that: one without an end, from its last run by event time on (open-region.ts), and a
 * repeated run, whose region is that of the run it repeats. Only all of history is longer than an interval of a schedule.
 */
function runsOfBackfills(
  exportId: string,
  root: string,
  { arrivalFrom, arrivalTo, eventFrom, eventTo }: Region,
) {
  return sql`
    select run.status, run.region, run.excludes
      from batch_export_backfills backfill
      join batch_export_runs run on run.backfill_id = backfill.id
       and run.data_interval_end > case
             when backfill.retry_of is not null then '-infinity'
             when backfill.by_arrival or backfill.arrival_before <= ${after(arrivalFrom)} then ${after(arrivalFrom)}
             when backfill.end_at is null then least(${after(eventFrom)}, backfill.arrival_before - interval '2 milliseconds')
             else ${after(eventFrom)} end
       and run.data_interval_end < case
             when backfill.retry_of is not null or backfill.start_at is null then 'infinity'
             when backfill.by_arrival then ${longBefore(arrivalTo)}
             when backfill.end_at is null then 'infinity'
             else ${longBefore(eventTo)} end
     where backfill.batch_export_id = ${exportId}
       and (backfill.retry_of is not null or backfill.end_at is null or backfill.arrival_before > ${after(arrivalFrom)})
       and run.id <> ${root} and backfill.retry_of is distinct from ${root}`;
}

const after = (at: number | null) =>
  at === null ? sql`'-infinity'::timestamptz` : sql`${new Date(at)}::timestamptz`;

const longBefore = (at: number | null) =>
  at === null ? sql`'infinity'::timestamptz` : sql`${new Date(at + LONGEST_INTERVAL_MS)}::timestamptz`;

import { sql } from 'kysely';
import type { Trx } from '../ports.ts';

/** What a cancelled backfill has not delivered: all between that no run of it, or a repeated one, completed. */
export interface LeftOver {
  readonly id: string;
  readonly byArrival: boolean;
  /** The run it repeats; null for any other. */
  readonly retryOf: string | null;
  /** It is a repetition that replaces files, which nothing cancels. */
  readonly goesOn: boolean;
  /** Null = from the beginning of time. */
  readonly from: Date | null;
  /** Null = without an end. */
  readonly until: Date | null;
}

/** What the automatic pause did to backfills, for the export's log. */
export interface LeftBehind {
  /** Without those whose run goes on. */
  readonly cancelled: number;
  /** One line for each. */
  readonly told: readonly string[];
}

/** Keeps what the automatic pause cancelled for the next catch-up, and answers how to name it. */
export async function leaveOver(trx: Trx, backfillIds: readonly string[]): Promise<LeftBehind> {
  if (backfillIds.length === 0) return { cancelled: 0, told: [] };
  await trx
    .updateTable('batch_export_backfills')
    .set({ unfinished: true })
    .where('id', 'in', [...backfillIds])
    .where('by_arrival', '=', true)
    .execute();
  const left = await leftOver(trx, backfillIds);
  return { cancelled: left.filter(({ goesOn }) => !goesOn).length, told: left.map(told) };
}

/** Catch-ups that the automatic pause cancelled and no later one has taken over, which the caller now does. */
export async function takeLeftOver(trx: Trx, exportId: string): Promise<LeftOver[]> {
  const taken = await trx
    .updateTable('batch_export_backfills')
    .set({ unfinished: false })
    .where('batch_export_id', '=', exportId)
    .where('unfinished', '=', true)
    .returning('id')
    .execute();
  if (taken.length === 0) return [];
  return leftOver(
    trx,
    taken.map(({ id }) => id),
  );
}

async function leftOver(trx: Trx, backfillIds: readonly string[]): Promise<LeftOver[]> {
  const { rows } = await sql<LeftOver>`
    select backfill.id, by_arrival as "byArrival", retry_of as "retryOf", undone.goes_on as "goesOn",
           case when undone.all_history or coalesce(next_interval_start, start_at) is null then null
                else least(coalesce(next_interval_start, start_at), undone.first) end as "from",
           case when by_arrival then arrival_before else end_at end as until
      from batch_export_backfills backfill cross join lateral (
        select min(data_interval_start) as first, coalesce(bool_or(data_interval_start is null), false) as all_history,
               coalesce(bool_or(run.replacing and run.status = 'Running'), false) as goes_on
          from batch_export_runs run
         where run.backfill_id = backfill.id and run.status <> 'Completed' and not exists (
           select from batch_export_backfills repetition
             join batch_export_runs again on again.backfill_id = repetition.id
            where repetition.retry_of = run.id and again.status = 'Completed')) undone
     where backfill.id in (${sql.join(backfillIds)})
     order by backfill.created_at, backfill.id`.execute(trx);
  return rows;
}

function told({ id, byArrival, retryOf, goesOn, from, until }: LeftOver): string {
  if (goesOn) return `The repetition of run ${retryOf} is replacing files and goes on to its end.`;
  if (retryOf) return `The pause cancelled the repetition of run ${retryOf}. Retry that run again.`;
  const start = from?.toISOString() ?? 'the beginning';
  const range = until ? `${start} to ${until.toISOString()}` : `${start} on`;
  const what = byArrival ? 'Unpause with {"backfill": true} to make up for it.' : 'Ask for that range again.';
  return `The pause cancelled the backfill ${id}, which had yet to export ${range}. ${what}`;
}

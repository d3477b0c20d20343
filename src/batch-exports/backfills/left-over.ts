import { sql } from 'kysely';
import { appendLog } from '../logs.ts';
import type { Trx } from '../ports.ts';

/** What a cancelled backfill has not delivered: all between that no run of it, or a repeated one, completed. */
export interface LeftOver {
  readonly id: string;
  readonly byArrival: boolean;
  /** The run it repeats; null for any other. */
  readonly retryOf: string | null;
  /** Null = from the beginning of time. */
  readonly from: Date | null;
  /** Null = without an end. */
  readonly until: Date | null;
}

/** What the automatic pause cancelled: named in the export's log one by one, and kept for the next catch-up. */
export async function leaveOver(
  trx: Trx,
  where: { readonly teamId: number; readonly exportId: string },
  backfillIds: readonly string[],
  now: number,
): Promise<void> {
  if (backfillIds.length === 0) return;
  await trx
    .updateTable('batch_export_backfills')
    .set({ unfinished: true })
    .where('id', 'in', [...backfillIds])
    .where('by_arrival', '=', true)
    .execute();
  const lines = (await leftOver(trx, backfillIds)).map((one) => ({
    ...where,
    runId: null,
    level: 'WARNING' as const,
    message: told(one),
  }));
  await appendLog(trx, lines, now);
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
    select backfill.id, by_arrival as "byArrival", retry_of as "retryOf",
           case when undone.all_history or coalesce(next_interval_start, start_at) is null then null
                else least(coalesce(next_interval_start, start_at), undone.first) end as "from",
           case when by_arrival then arrival_before else end_at end as until
      from batch_export_backfills backfill cross join lateral (
        select min(data_interval_start) as first, coalesce(bool_or(data_interval_start is null), false) as all_history
          from batch_export_runs run
         where run.backfill_id = backfill.id and run.status <> 'Completed' and not exists (
           select from batch_export_backfills repetition
             join batch_export_runs again on again.backfill_id = repetition.id
            where repetition.retry_of = run.id and again.status = 'Completed')) undone
     where backfill.id in (${sql.join(backfillIds)})
     order by backfill.created_at, backfill.id`.execute(trx);
  return rows;
}

function told({ id, byArrival, retryOf, from, until }: LeftOver): string {
  if (retryOf) return `The pause cancelled the repetition of run ${retryOf}. Retry that run again.`;
  const start = from?.toISOString() ?? 'the beginning';
  const range = until ? `${start} to ${until.toISOString()}` : `${start} on`;
  const what = byArrival ? 'Unpause with {"backfill": true} to make up for it.' : 'Ask for that range again.';
  return `The pause cancelled the backfill ${id}, which had yet to export ${range}. ${what}`;
}

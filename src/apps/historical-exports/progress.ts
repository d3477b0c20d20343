import { sql } from 'kysely';
import type { Trx } from '../ports.ts';
import { statesAccepting } from './machine.ts';

/** *count*: fixes how many events there are to deliver; null = they could not be counted. In the caller's transaction. */
export async function setTotal(trx: Trx, jobId: string, events: number | null): Promise<void> {
  await trx
    .updateTable('historical_exports')
    .set({ status: 'Running', total_events: events })
    .where('id', '=', jobId)
    .where('status', 'in', statesAccepting('count'))
    .execute();
}

/** *deliver*: a chunk has ended. In the transaction that ends it, so that the progress is what the ledger says. */
export async function addProgress(
  trx: Trx,
  jobId: string,
  ended: { readonly delivered: number; readonly failed: number },
): Promise<void> {
  await trx
    .updateTable('historical_exports')
    .set(({ eb }) => ({
      delivered_events: eb('delivered_events', '+', ended.delivered),
      failed_events: eb('failed_events', '+', ended.failed),
      progress: sql<number>`case when total_events is null then 0 else least(1, (delivered_events + failed_events + ${ended.delivered + ended.failed}::bigint)::double precision
        / greatest(total_events, 1)) end`,
    }))
    .where('id', '=', jobId)
    .where('status', 'in', statesAccepting('deliver'))
    .execute();
}

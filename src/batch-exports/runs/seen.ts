import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../ports.ts';

/** A `Claim` (store.ts, which needs this file). */
interface Hold {
  readonly id: string;
  readonly attempt: number;
}

/** As long as the queue takes a worker for alive that says nothing, seconds. */
export const ALIVE_SECONDS = 10;

/**
 * Of a run: whether a worker other than `worker` is at work on it and was seen in the last `seconds`. By the database's clock,
 * the only one that processes share; what a clock saw that has been set back since does not count.
 */
export const atWorkElsewhere = (worker: string, seconds: number): RawBuilder<boolean> => sql<boolean>`
  coalesce(status = 'Running' and worker <> ${worker} and next_attempt_at is null
           and abs(extract(epoch from now() - seen_at)) < ${sql.lit(seconds)}, false)`;

/** Of a run: milliseconds until its worker counts as dead, if it is not seen again; at least a second. */
export const aliveFor = sql<number>`
  least(greatest(1, coalesce(${sql.lit(ALIVE_SECONDS)} - extract(epoch from now() - seen_at), 0)), ${sql.lit(ALIVE_SECONDS)})::float * 1000`;

/** Says that this process is at work on the runs of `claims`, as far as these still hold. Waits for no lock. */
export async function markSeen(db: Db, claims: readonly Hold[]): Promise<void> {
  if (claims.length === 0) return;
  await sql`
    update batch_export_runs set seen_at = now()
     where id in (select run.id from batch_export_runs run
                    join jsonb_to_recordset(${JSON.stringify(claims)}::jsonb) claim (id uuid, attempt int)
                      on claim.id = run.id and claim.attempt = run.attempt
                   where run.status = 'Running'
                     for update of run skip locked)`.execute(db);
}

/** Says that nobody is at work on a run any more, so that the next one need not wait. */
export async function letGo(db: Db, claim: Hold): Promise<void> {
  await db
    .updateTable('batch_export_runs')
    .set({ seen_at: null })
    .where('id', '=', claim.id)
    .where('attempt', '=', claim.attempt)
    .execute();
}

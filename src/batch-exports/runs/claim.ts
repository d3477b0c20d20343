import type { Queue } from '../../work/queue.ts';
import type { Db } from '../ports.ts';
import { statesAccepting } from './machine.ts';
import { beforeItsTime, type ClaimedRun, type ClaimOptions, claimRun } from './store.ts';

/**
 * Takes the run that a job names (`claimRun`). Null as well when the run's next attempt is yet to come and another job waits
 * for it: then this one is one too many, from before a kill or an outage. Each would make attempts of its own, so that the
 * run's failures counted twice as fast. The last job of a run is never refused.
 */
export async function claimForJob(
  ports: { readonly db: Db; readonly queue: Pick<Queue, 'withoutJob'> },
  options: ClaimOptions,
): Promise<ClaimedRun | null> {
  const { db, queue } = ports;
  const run = await claimRun(db, { ...options, inTime: true });
  if (run || !(await isEarly(db, options))) return run;
  const alone = await queue.withoutJob(db, [options.runId], 'waiting');
  return alone.length === 0 ? null : claimRun(db, options);
}

/** Whether the run is active and its next attempt is yet to come. */
async function isEarly(db: Db, { runId, now }: ClaimOptions): Promise<boolean> {
  const row = await db
    .selectFrom('batch_export_runs')
    .select('id')
    .where('id', '=', runId)
    .where('status', 'in', statesAccepting('claim'))
    .where(beforeItsTime(now))
    .executeTakeFirst();
  return row !== undefined;
}

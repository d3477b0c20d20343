import type { Queue } from '../../work/queue.ts';
import type { Db } from '../ports.ts';
import { type ClaimedRun, type ClaimOptions, claimRun, isBeforeItsTime } from './store.ts';

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
  if (run || !(await isBeforeItsTime(db, options))) return run;
  const alone = await queue.withoutJob(db, [options.runId], 'waiting');
  return alone.length === 0 ? null : claimRun(db, options);
}

import type { Queue } from '../../work/queue.ts';
import type { RunPorts } from '../ports.ts';
import { statesAccepting } from './machine.ts';
import { aliveFor } from './seen.ts';
import { beforeItsTime, type ClaimedRun, type ClaimOptions, claimRun } from './store.ts';

export interface ClaimPorts extends Pick<RunPorts, 'db' | 'enqueue'> {
  readonly queue: Pick<Queue, 'withoutJob'>;
}

/**
 * Takes the run that a job names (`claimRun`). Null as well when the run's next attempt is yet to come and another job waits
 * for it: then this one is one too many, from before a kill or an outage. Each would make attempts of its own, so that the
 * run's failures counted twice as fast. The last job of a run is never refused.
 *
 * Null, too, while another process is at work on the run and lives (`spareSeconds`): taken from it, a large file would begin
 * anew. The job is put back until that process counts as dead if it is not seen again.
 */
export async function claimForJob(ports: ClaimPorts, options: ClaimOptions): Promise<ClaimedRun | null> {
  const { db, enqueue, queue } = ports;
  const run = await claimRun(db, { ...options, inTime: true });
  const active = run ? null : await lookAt(ports, options);
  if (!active) return run;
  if (active.early) {
    const others = await queue.withoutJob(db, [options.runId], 'waiting');
    return others.length === 0 ? null : claimRun(db, options);
  }
  // Whoever has claimed the run since has a job for it.
  if (typeof options.held === 'number') return null;
  const at = options.now + active.waitMs;
  await db.transaction().execute((trx) => enqueue(trx, [options.runId], at));
  return null;
}

/** Of an active run: whether its next attempt is yet to come, and how long to wait for who is at work on it. */
function lookAt({ db }: ClaimPorts, { runId, now }: ClaimOptions) {
  return db
    .selectFrom('batch_export_runs')
    .select([beforeItsTime(now).as('early'), aliveFor.as('waitMs')])
    .where('id', '=', runId)
    .where('status', 'in', statesAccepting('claim'))
    .executeTakeFirst();
}

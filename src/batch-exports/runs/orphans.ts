import { portionsOf } from '../../work/portions.ts';
import type { Queue } from '../../work/queue.ts';
import type { RunPorts } from '../ports.ts';
import { ACTIVE_RUN_STATES } from './machine.ts';

export interface OrphanPorts extends Pick<RunPorts, 'db' | 'clock' | 'enqueue'> {
  readonly queue: Pick<Queue, 'withoutJob'>;
}

/**
 * After a kill -9 the queue would notice the dead worker after its heartbeat, 10 s later. Who knows to be alone on
 * the database need not wait: every run that was at work gets a job now, a second one does no harm. Of ten thousand that have not
 * begun, only those get one that have none.
 */
export async function adoptOrphans(ports: OrphanPorts): Promise<void> {
  const now = ports.clock.now();
  await ports.db.transaction().execute(async (trx) => {
    const orphans = await trx
      .selectFrom('batch_export_runs')
      .select(['id', 'next_attempt_at'])
      .where('status', 'in', [...ACTIVE_RUN_STATES])
      .where('attempt', '>', 0)
      .execute();
    for (const { id, next_attempt_at: at } of orphans) {
      // A job for a time long past would be too old for the queue from the start.
      await ports.enqueue(trx, [id], at === null ? undefined : Math.max(at.getTime(), now));
    }
  });
  await enqueueForgotten(ports, now + 1);
}

const AT_ONCE = 1_000;

/**
 * Gives a job to the active runs that have none and of which nothing was heard since `before`, milliseconds since the epoch, and
 * tells how many there were. A job may be lost with the queue's tables, or to its limit of age: its run would stay
 * active for ever. Processes that look at the same time may give one a job each; a second delivery does no harm.
 */
export async function enqueueForgotten(ports: OrphanPorts, before: number): Promise<number> {
  const overdue = await ports.db
    .selectFrom('batch_export_runs')
    .select('id')
    .where('status', 'in', [...ACTIVE_RUN_STATES])
    .where((eb) => eb(eb.fn.coalesce('next_attempt_at', 'last_updated_at'), '<', new Date(before)))
    .orderBy('id')
    .execute();
  // At once: each question reads the whole queue.
  const forgotten =
    overdue.length === 0
      ? []
      : await ports.queue.withoutJob(
          ports.db,
          overdue.map(({ id }) => id),
        );
  for await (const ids of portionsOf(forgotten, AT_ONCE)) {
    await ports.db.transaction().execute((trx) => ports.enqueue(trx, ids));
  }
  return forgotten.length;
}

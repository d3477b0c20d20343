import { portionsOf } from '../../work/portions.ts';
import type { Queue } from '../../work/queue.ts';
import type { RunPorts } from '../ports.ts';
import { ACTIVE_RUN_STATES } from './machine.ts';
import { TOO_FAR_MS } from './store.ts';

export interface OrphanPorts extends Pick<RunPorts, 'db' | 'clock' | 'enqueue'> {
  readonly queue: Pick<Queue, 'withoutJob'>;
}

/**
 * After a kill -9 the queue would notice the dead worker after its heartbeat and its next look, which a process that is
 * killed again and again never lives to see. Who knows to be alone on the database need not wait: every active run that no
 * job waits for gets one now, be it that a dead worker has its job, claimed the run or not. Of those that wait for their
 * first or next attempt, only those get one that have none: a job more at each start would be an attempt more each time.
 */
export async function adoptOrphans(ports: OrphanPorts): Promise<void> {
  await enqueueTooFar(ports);
  await enqueueWithout(ports, null, 'waiting');
}

const AT_ONCE = 1_000;

/**
 * Gives a job to the active runs that have none and of which nothing was heard since `before`, milliseconds since the
 * epoch, not before the time of its next attempt; and to those whose next attempt is too far away. Tells how many there were. A
 * job may be lost with the queue's tables, or to its limit of age: its run would stay active for ever. Processes that look at
 * the same time may give one a job each; a second delivery does no harm.
 */
export async function enqueueForgotten(ports: OrphanPorts, before: number): Promise<number> {
  return (await enqueueTooFar(ports)) + (await enqueueWithout(ports, before));
}

/** The clock was set back in the middle of a wait: the job waits for that time to come again. */
async function enqueueTooFar(ports: OrphanPorts): Promise<number> {
  const tooFar = await ports.db
    .selectFrom('batch_export_runs')
    .select('id')
    .where('status', 'in', [...ACTIVE_RUN_STATES])
    .where('next_attempt_at', '>=', new Date(ports.clock.now() + TOO_FAR_MS))
    .execute();
  await enqueueNow(
    ports,
    tooFar.map(({ id }) => id),
  );
  return tooFar.length;
}

/** `before` null = of all active runs, whenever they were heard of. */
async function enqueueWithout(ports: OrphanPorts, before: number | null, only?: 'waiting'): Promise<number> {
  const active = ports.db
    .selectFrom('batch_export_runs')
    .select(['id', 'next_attempt_at'])
    .where('status', 'in', [...ACTIVE_RUN_STATES])
    .orderBy('id');
  const overdue = await (before === null
    ? active
    : active.where((eb) => eb(eb.fn.coalesce('next_attempt_at', 'last_updated_at'), '<', new Date(before)))
  ).execute();
  const next = new Map(overdue.map((run) => [run.id, run.next_attempt_at?.getTime() ?? 0]));
  // At once: each question reads the whole queue.
  const forgotten = next.size === 0 ? [] : await ports.queue.withoutJob(ports.db, [...next.keys()], only);
  const now = ports.clock.now();
  const isDue = (id: string) => (next.get(id) ?? 0) <= now;
  const later = forgotten.filter((id) => !isDue(id));
  await enqueueNow(ports, forgotten.filter(isDue));
  for await (const ids of portionsOf(later, AT_ONCE)) {
    await ports.db.transaction().execute(async (trx) => {
      for (const id of ids) await ports.enqueue(trx, [id], next.get(id));
    });
  }
  return forgotten.length;
}

async function enqueueNow({ db, enqueue }: OrphanPorts, runIds: readonly string[]): Promise<void> {
  for await (const ids of portionsOf(runIds, AT_ONCE)) {
    await db.transaction().execute((trx) => enqueue(trx, ids));
  }
}

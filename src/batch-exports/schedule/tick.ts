import type { BatchExportRow } from '../../database/tables.ts';
import { advanceActiveBackfills } from '../backfills/advance.ts';
import type { RunPorts, Trx } from '../ports.ts';
import { runDueIntervals } from './advance.ts';

export interface Ticked {
  readonly created: readonly string[];
  /** When the next tick has something to do, milliseconds since the epoch; null = nothing is scheduled. */
  readonly nextDueAt: number | null;
}

/** Intervals per transaction: after a long downtime an export holds its lock for some 100 ms at a time. */
const INTERVALS_PER_TRANSACTION = 500;

/**
 * Creates the runs that are due, of at most `limit` exports (an export far behind counts several times), and moves
 * backfills on. Any number of processes may tick at once: each export is taken by one of them (S2).
 */
export async function tick(ports: RunPorts, limit: number): Promise<Ticked> {
  const created: string[] = [];
  for (let done = 0; done < limit; done++) {
    const ids = await ports.db.transaction().execute((trx) => tickOne(trx, ports));
    if (ids === null) break;
    created.push(...ids);
  }
  created.push(...(await advanceActiveBackfills(ports, limit)));
  return { created, nextDueAt: await nextDueAt(ports) };
}

/** Null when no export is due, or those that are due are in other hands. */
async function tickOne(trx: Trx, ports: RunPorts): Promise<readonly string[] | null> {
  const now = ports.clock.now();
  const batchExport: BatchExportRow | undefined = await trx
    .selectFrom('batch_exports')
    .selectAll()
    .where('next_due_at', '<=', new Date(now))
    .where('paused', '=', false)
    .where('deleted_at', 'is', null)
    .orderBy('next_due_at')
    .limit(1)
    .forUpdate()
    .skipLocked()
    .executeTakeFirst();
  if (!batchExport) return null;
  const advanced = await runDueIntervals(trx, ports, batchExport, {
    now,
    limit: INTERVALS_PER_TRANSACTION,
    jitterScale: ports.jitterScale,
  });
  await trx
    .updateTable('batch_exports')
    .set({
      next_interval_start: new Date(advanced.cursor),
      next_due_at: advanced.dueAt === null ? null : new Date(advanced.dueAt),
    })
    .where('id', '=', batchExport.id)
    .execute();
  return advanced.created;
}

async function nextDueAt(ports: RunPorts): Promise<number | null> {
  const { due } = await ports.db
    .selectFrom('batch_exports')
    .select((eb) => eb.fn.min('next_due_at').as('due'))
    .where('deleted_at', 'is', null)
    .where('paused', '=', false)
    .executeTakeFirstOrThrow();
  return due ? new Date(due).getTime() : null;
}

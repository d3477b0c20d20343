import { sql } from 'kysely';
import type { Db } from '../ports.ts';

/** Longer than an insert takes; a process that stood still for longer, in the middle of one, may count its rows twice. */
const LEASE = sql`interval '30 seconds'`;

/** Does `work` while no other process writes metrics; null when one does. `owner` is this process. */
export async function asWriter<T>(db: Db, owner: string, work: () => Promise<T>): Promise<T | null> {
  const writer = await db
    .updateTable('app_metric_writer')
    .set({ owner, lease_until: sql<Date>`now() + ${LEASE}` })
    .where((where) =>
      where.or([
        where('owner', 'is', null),
        where('owner', '=', owner),
        where('lease_until', '<', sql<Date>`now()`),
      ]),
    )
    .returning('flush')
    .executeTakeFirst();
  if (!writer) return null;
  try {
    return await work();
  } finally {
    await db
      .updateTable('app_metric_writer')
      .set({ owner: null, lease_until: null })
      .where('owner', '=', owner)
      .execute();
  }
}

/** At the start of a process that is alone on its database: whoever was writing is dead. */
export async function freeWriter(db: Db): Promise<void> {
  await db.updateTable('app_metric_writer').set({ owner: null, lease_until: null }).execute();
}

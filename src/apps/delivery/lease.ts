import { sql } from 'kysely';
import { ACTIVE_STATES } from '../historical-exports/machine.ts';
import type { AppsPorts, Db } from '../ports.ts';
import { cursorColumns, startOf } from './position.ts';

/** A delivery that this process has the lease of. */
export interface Lease {
  readonly id: string;
  readonly epoch: number;
}

/** By the database's clock, so that the clocks of processes need not agree. */
const fromNow = (seconds: number) => sql<Date>`now() + make_interval(secs => ${seconds})`;

/** Leases taken per look, so that processes that start together share them. Whoever got the full number looks again at once. */
export const AT_ONCE = 20;

/**
 * Makes a row for every enabled plugin config that has none, beginning with what arrives from the moment it was turned
 * on; removes the rows of configs that are off, deleted, or were off in between (D6).
 */
export async function matchConfigs({ db, newId }: Pick<AppsPorts, 'db' | 'newId'>): Promise<void> {
  await db
    .deleteFrom('app_deliveries')
    .where('historical_export_id', 'is', null)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('plugin_configs')
            .select('plugin_configs.id')
            .whereRef('plugin_configs.id', '=', 'app_deliveries.plugin_config_id')
            .whereRef('plugin_configs.enabled_at', '=', 'app_deliveries.since')
            .where('enabled', '=', true)
            .where('deleted_at', 'is', null),
        ),
      ),
    )
    .execute();
  const missing = await db
    .selectFrom('plugin_configs as config')
    .leftJoin('app_deliveries as delivery', (join) =>
      join
        .onRef('delivery.plugin_config_id', '=', 'config.id')
        .on('delivery.historical_export_id', 'is', null),
    )
    .select(['config.id', 'config.enabled_at'])
    .where('config.enabled', '=', true)
    .where('config.deleted_at', 'is', null)
    .where('config.enabled_at', 'is not', null)
    .where('delivery.id', 'is', null)
    .execute();
  if (missing.length === 0) return;
  await db
    .insertInto('app_deliveries')
    .values(
      missing.map(({ id, enabled_at }) => ({
        id: newId(),
        plugin_config_id: id,
        since: enabled_at as Date,
        ...cursorColumns(startOf((enabled_at as Date).getTime() * 1000)),
      })),
    )
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/**
 * Takes deliveries that nobody has, raising their epoch. Open batches of a holder that did not give them back may have been
 * sent: that counts as an attempt.
 */
export async function takeLeases(db: Db, owner: string, seconds: number): Promise<Lease[]> {
  return db.transaction().execute(async (trx) => {
    const free = await trx
      .selectFrom('app_deliveries as delivery')
      .leftJoin('historical_exports as job', 'job.id', 'delivery.historical_export_id')
      .select(['delivery.id', 'delivery.owner'])
      .where((where) =>
        where.or([where('delivery.owner', 'is', null), where('delivery.lease_until', '<', sql<Date>`now()`)]),
      )
      .where((where) =>
        where.or([where('job.id', 'is', null), where('job.status', 'in', [...ACTIVE_STATES])]),
      )
      .orderBy('delivery.id')
      .limit(AT_ONCE)
      .forUpdate('delivery')
      .skipLocked()
      .execute();
    if (free.length === 0) return [];
    const orphans = free.flatMap(({ id, owner: last }) => (last === null ? [] : [id]));
    if (orphans.length > 0) {
      await trx
        .updateTable('app_batches')
        .set(({ eb }) => ({ attempts: eb('attempts', '+', 1) }))
        .where('delivery_id', 'in', orphans)
        .where('ended_at', 'is', null)
        .execute();
    }
    return trx
      .updateTable('app_deliveries')
      .set(({ eb }) => ({
        owner,
        lease_until: fromNow(seconds),
        epoch: eb('epoch', '+', 1),
      }))
      .where(
        'id',
        'in',
        free.map(({ id }) => id),
      )
      .returning(['id', 'epoch'])
      .execute();
  });
}

/** Renews those leases of a process of which a third has passed; returns all that it still has. */
export async function renewLeases(db: Db, owner: string, seconds: number): Promise<Lease[]> {
  await db
    .updateTable('app_deliveries')
    .set({ lease_until: fromNow(seconds) })
    .where('owner', '=', owner)
    .where('lease_until', '<', fromNow((seconds * 2) / 3))
    .execute();
  return db.selectFrom('app_deliveries').select(['id', 'epoch']).where('owner', '=', owner).execute();
}

/** Gives back all leases of a process: nothing of theirs is on the way any more. */
export async function giveBack(db: Db, owner: string): Promise<void> {
  await db
    .updateTable('app_deliveries')
    .set({ owner: null, lease_until: null })
    .where('owner', '=', owner)
    .execute();
}

/**
 * Lets go of a lease as a process that died: who takes it next, under another epoch, counts what is open as an attempt.
 * Waits for a transaction on the delivery whose reply was lost. Returns whether the lease was still held.
 */
export async function letGo(db: Db, { id, epoch }: Lease): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('app_deliveries')
    .set({ lease_until: new Date(0) })
    .where('id', '=', id)
    .where('epoch', '=', epoch)
    .executeTakeFirst();
  return Number(numUpdatedRows) > 0;
}

/** At the start of a process that is alone on its database: every lease is a dead one's. */
export async function endLeases(db: Db): Promise<void> {
  await db
    .updateTable('app_deliveries')
    .set({ lease_until: new Date(0) })
    .where('owner', 'is not', null)
    .execute();
}

import { sql } from 'kysely';
import { SluiceError } from '../../errors/error.ts';
import type { AppsPorts, Db, Trx } from '../ports.ts';
import { openConfig } from '../sealed-config.ts';
import type { PlannedBatch } from './cut.ts';
import type { Lease } from './lease.ts';
import { cursorColumns, cursorOf, type Position } from './position.ts';

/** A batch that is stored and not ended. */
export interface OpenBatch extends PlannedBatch {
  readonly id: string;
  /** Failed, or of unknown end. */
  readonly attempts: number;
}

/** A delivery as its row has it, with what belongs to it. */
export interface Delivery extends Lease {
  readonly teamId: number;
  readonly pluginConfigId: number;
  readonly pluginId: number;
  /** Complete, secrets included. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly job: Job | null;
  readonly cursor: Position;
  readonly failures: number;
  /** Milliseconds since the epoch; null = it does not fail. */
  readonly failingSince: number | null;
  /** Milliseconds since the epoch; null = now. */
  readonly nextAttemptAt: number | null;
}

/** The historical export that a delivery belongs to. Times in milliseconds since the epoch. */
export interface Job {
  readonly id: string;
  readonly organizationId: string | null;
  readonly status: string;
  readonly eventTo: number;
  readonly arrivalBefore: number;
  readonly parallelism: number;
  readonly createdBy: number | null;
}

/** Null when it is not ours (any more). Throws `secret_unreadable`. */
export async function loadDelivery(
  { db, unseal }: Pick<AppsPorts, 'db' | 'unseal'>,
  lease: Lease,
): Promise<Delivery | null> {
  const row = await db
    .selectFrom('app_deliveries as delivery')
    .innerJoin('plugin_configs as config', 'config.id', 'delivery.plugin_config_id')
    .leftJoin('historical_exports as job', 'job.id', 'delivery.historical_export_id')
    .selectAll('delivery')
    .select(['config.team_id', 'config.plugin_id', 'config.config', 'config.sealed'])
    .select(['job.organization_id', 'job.status', 'job.event_to', 'job.arrival_before'])
    .select(['job.parallelism', 'job.created_by'])
    .where('delivery.id', '=', lease.id)
    .where('delivery.epoch', '=', lease.epoch)
    .executeTakeFirst();
  if (!row) return null;
  return {
    ...lease,
    teamId: row.team_id,
    pluginConfigId: row.plugin_config_id,
    pluginId: row.plugin_id,
    config: openConfig({ unseal }, row),
    job:
      row.historical_export_id === null
        ? null
        : {
            id: row.historical_export_id,
            organizationId: row.organization_id,
            status: row.status ?? '',
            eventTo: row.event_to?.getTime() ?? 0,
            arrivalBefore: row.arrival_before?.getTime() ?? 0,
            parallelism: row.parallelism ?? 1,
            createdBy: row.created_by,
          },
    cursor: cursorOf(row),
    failures: row.failures,
    failingSince: row.failing_since?.getTime() ?? null,
    nextAttemptAt: row.next_attempt_at?.getTime() ?? null,
  };
}

/** For each delivery, a hash of its config and secrets: it changes when they do, not with name, order or description. */
export async function configVersions(
  db: Db,
  deliveryIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (deliveryIds.length === 0) return new Map();
  const rows = await db
    .selectFrom('app_deliveries as delivery')
    .innerJoin('plugin_configs as config', 'config.id', 'delivery.plugin_config_id')
    .select([
      'delivery.id',
      sql<string>`md5(config.config::text || coalesce(config.sealed, ''))`.as('version'),
    ])
    .where('delivery.id', 'in', [...deliveryIds])
    .execute();
  return new Map(rows.map(({ id, version }) => [id, version]));
}

/** Open batches in the order of their events. */
export async function openBatches(db: Db, deliveryId: string): Promise<OpenBatch[]> {
  const rows = await db
    .selectFrom('app_batches')
    .selectAll()
    .where('delivery_id', '=', deliveryId)
    .where('ended_at', 'is', null)
    .orderBy('until_first')
    .orderBy('until_second')
    .orderBy('until_uuid')
    .execute();
  return rows.map((row) => ({
    id: row.id,
    after: { first: row.after_first, second: row.after_second, uuid: row.after_uuid },
    until: { first: row.until_first, second: row.until_second, uuid: row.until_uuid },
    events: row.events,
    bytes: null,
    attempts: row.attempts,
  }));
}

/** Moves the cursor and stores the batches up to it, in one transaction. Throws `delivery_superseded`. */
export async function storePlan(
  { db, newId }: Pick<AppsPorts, 'db' | 'newId'>,
  lease: Lease,
  planned: readonly PlannedBatch[],
  cursor: Position,
): Promise<OpenBatch[]> {
  const batches = planned.map((batch) => ({ ...batch, id: newId(), attempts: 0 }));
  await db.transaction().execute(async (trx) => {
    await fenced(trx, lease, cursorColumns(cursor));
    if (batches.length > 0) await insertBatches(trx, lease.id, batches);
  });
  return batches;
}

/**
 * Replaces a batch by smaller ones of the same events, in the caller's transaction. Throws `delivery_superseded`, also
 * when it has been replaced before.
 */
export async function replaceBatch(
  trx: Trx,
  { newId }: Pick<AppsPorts, 'newId'>,
  lease: Lease,
  batch: OpenBatch,
  parts: readonly PlannedBatch[],
): Promise<OpenBatch[]> {
  const batches = parts.map((part) => ({ ...part, id: newId(), attempts: batch.attempts }));
  await fenced(trx, lease, {});
  const deleted = await trx.deleteFrom('app_batches').where('id', '=', batch.id).returning('id').execute();
  if (deleted.length === 0) throw new SluiceError('delivery_superseded');
  await insertBatches(trx, lease.id, batches);
  return batches;
}

async function insertBatches(trx: Trx, deliveryId: string, batches: readonly OpenBatch[]): Promise<void> {
  await trx
    .insertInto('app_batches')
    .values(
      batches.map(({ id, after, until, events, attempts }) => ({
        id,
        delivery_id: deliveryId,
        after_first: after.first,
        after_second: after.second,
        after_uuid: after.uuid,
        until_first: until.first,
        until_second: until.second,
        until_uuid: until.uuid,
        events,
        attempts,
      })),
    )
    .execute();
}

export interface DeliveryColumns {
  readonly cursor_first?: number;
  readonly cursor_second?: number;
  readonly cursor_uuid?: string;
  readonly failures?: number;
  readonly failing_since?: Date | null;
  readonly next_attempt_at?: Date | null;
  readonly latest_error?: string | null;
}

/** Writes to a delivery's row only while its epoch is ours (D3). Throws `delivery_superseded`. */
export async function fenced(trx: Db | Trx, lease: Lease, columns: DeliveryColumns): Promise<void> {
  const { numUpdatedRows } = await trx
    .updateTable('app_deliveries')
    .set({ ...columns, epoch: lease.epoch })
    .where('id', '=', lease.id)
    .where('epoch', '=', lease.epoch)
    .executeTakeFirst();
  if (Number(numUpdatedRows) === 0) throw new SluiceError('delivery_superseded');
}

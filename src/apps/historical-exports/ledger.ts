import { eachInTurn } from '../../work/each-in-turn.ts';
import type { Db } from '../ports.ts';
import { ACTIVE_STATES } from './machine.ts';

/** A job of a hundred million events leaves half a million rows: to delete them at once would hold up everybody else. */
export const PORTION = 2_000;
const JOBS_AT_ONCE = 20;

/**
 * Removes a portion of the batches of jobs that have ended, and the job's delivery with the last of them. Returns whether there
 * may be more. What fails for one job keeps no other waiting; the first error is thrown when all have had their turn.
 */
export async function clearLedgers(db: Db): Promise<boolean> {
  const ended = await db
    .selectFrom('app_deliveries as delivery')
    .innerJoin('historical_exports as job', 'job.id', 'delivery.historical_export_id')
    .select('delivery.id')
    .where('job.status', 'not in', [...ACTIVE_STATES])
    .orderBy('delivery.id')
    .limit(JOBS_AT_ONCE)
    .execute();
  await eachInTurn(ended, ({ id }) => clearPortion(db, id));
  return ended.length > 0;
}

async function clearPortion(db: Db, deliveryId: string): Promise<void> {
  const { numDeletedRows } = await db
    .deleteFrom('app_batches')
    .where('id', 'in', ({ selectFrom }) =>
      selectFrom('app_batches')
        .select('id')
        .where('delivery_id', '=', deliveryId)
        .limit(PORTION)
        // Another process may be at it, too.
        .forUpdate()
        .skipLocked(),
    )
    .executeTakeFirst();
  if (Number(numDeletedRows) === PORTION) return;
  await db
    .deleteFrom('app_deliveries')
    .where('id', '=', deliveryId)
    .where(({ not, exists, selectFrom }) =>
      not(exists(selectFrom('app_batches').select('app_batches.id').where('delivery_id', '=', deliveryId))),
    )
    .execute();
}

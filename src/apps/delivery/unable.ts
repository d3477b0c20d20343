import { sql } from 'kysely';
import { kindOf, SluiceError } from '../../errors/error.ts';
import type { AppsPorts, Db } from '../ports.ts';
import type { Lease } from './lease.ts';

/**
 * Shows people why a delivery cannot begin: its secrets are sealed with a key that is lost. Troubles that pass by themselves
 * are not theirs. No attempt was made, so it is no failure of the receiver's; the next delivery that ends clears it.
 */
export async function tellUnable(
  { db, clock }: Pick<AppsPorts, 'db' | 'clock'>,
  { id, epoch }: Lease,
  error: unknown,
): Promise<void> {
  if (kindOf(error) === 'retry') return;
  const message =
    error instanceof SluiceError
      ? error.message
      : 'Something unexpected went wrong; the log of the server has the details.';
  const now = new Date(clock.now());
  await db
    .updateTable('app_deliveries')
    .set({ latest_error: message, failing_since: sql<Date>`coalesce(failing_since, ${now})` })
    .where('id', '=', id)
    .where('epoch', '=', epoch)
    .where('latest_error', 'is distinct from', message)
    .execute();
}

/** It has begun: what kept it from that is over. What its receiver fails with stays until a batch is taken. */
export async function tellAble(db: Db, { id, epoch }: Lease): Promise<void> {
  await db
    .updateTable('app_deliveries')
    .set({ latest_error: null, failing_since: null })
    .where('id', '=', id)
    .where('epoch', '=', epoch)
    .where('failures', '=', 0)
    .where('latest_error', 'is not', null)
    .execute();
}

import { sql } from 'kysely';
import { SluiceError } from '../../errors/error.ts';
import type { AppsPorts } from '../ports.ts';
import type { Lease } from './lease.ts';

/** Whether a person must mend what keeps a delivery from beginning; else it passes by itself, or only the log can explain it. */
export const isTheirs = (error: unknown): error is SluiceError =>
  error instanceof SluiceError && error.kind !== 'retry';

/**
 * Shows people why a delivery cannot begin: its secrets are sealed with a key that is lost. Other troubles are not told. No
 * attempt was made, so it is no failure of the receiver's.
 */
export async function tellUnable(
  { db, clock }: Pick<AppsPorts, 'db' | 'clock'>,
  { id, epoch }: Lease,
  error: unknown,
): Promise<void> {
  if (!isTheirs(error)) return;
  const { message } = error;
  const now = new Date(clock.now());
  await db
    .updateTable('app_deliveries')
    .set({ latest_error: message, failing_since: sql<Date>`coalesce(failing_since, ${now})` })
    .where('id', '=', id)
    .where('epoch', '=', epoch)
    .where('latest_error', 'is distinct from', message)
    .execute();
}

/**
 * It has begun: what kept it from that is over. What its receiver fails with stays until a batch is taken, unless a person
 * has mended the delivery: then nobody waits for what it failed with before, and it counts as failing from now on.
 */
export async function tellAble(
  { db, clock }: Pick<AppsPorts, 'db' | 'clock'>,
  { id, epoch }: Lease,
  mended: boolean,
): Promise<void> {
  const now = new Date(clock.now());
  await db
    .updateTable('app_deliveries')
    .set({
      latest_error: null,
      failing_since: sql<Date>`case when failures > 0 then ${now}::timestamptz end`,
    })
    .$if(mended, (query) => query.set({ next_attempt_at: null }))
    .$if(!mended, (query) => query.where('failures', '=', 0))
    .where('id', '=', id)
    .where('epoch', '=', epoch)
    .where('latest_error', 'is not', null)
    .execute();
}

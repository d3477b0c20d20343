import type { Kysely, Transaction } from 'kysely';
import type { Tables } from '../database/tables.ts';
import { SluiceError } from '../errors/error.ts';
import { keyId } from './sealing.ts';

/** In `instance`: the ids of all keys that secrets of this database were ever sealed with. */
const ROW = 'secret_keys';

/**
 * Processes of one database must share the secret key: what one seals, another has to open. The first remembers its key's id;
 * one that has none of the keys known by then is refused, before it takes runs that it cannot execute. With a key that
 * is known, new ones become known, so that rotation goes on as sealing.ts says. Throws `bad_configuration`.
 */
export async function checkSharedKey(db: Kysely<Tables>, secrets: readonly string[]): Promise<void> {
  const own = secrets.map(keyId);
  await db.transaction().execute(async (trx) => {
    const known = await knownIds(trx, own);
    if (!own.some((id) => known.includes(id)))
      throw new SluiceError('bad_configuration', { detail: REFUSAL });
    const value = JSON.stringify([...new Set([...known, ...own])]);
    await trx.updateTable('instance').set({ value }).where('key', '=', ROW).execute();
  });
}

/** Locked until the end of the transaction; `own` at the first start. */
async function knownIds(trx: Transaction<Tables>, own: readonly string[]): Promise<readonly string[]> {
  await trx
    .insertInto('instance')
    .values({ key: ROW, value: JSON.stringify(own) })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const { value } = await trx
    .selectFrom('instance')
    .select('value')
    .where('key', '=', ROW)
    .forUpdate()
    .executeTakeFirstOrThrow();
  return value as readonly string[];
}

const REFUSAL =
  'The secret key of this process is not that of the others on this database. Set SLUICE_SECRET_KEY to the same value for all of them; ' +
  'the key that was made at the first start is in secret.key of that data directory. If it is lost, remove the row ' +
  `'${ROW}' of the table instance, then store all credentials again.`;

import { type Kysely, sql, type Transaction } from 'kysely';
import type { Tables } from '../database/tables.ts';
import { SluiceError } from '../errors/error.ts';
import { keyId } from './sealing.ts';

/** In `instance`: the ids of all keys that secrets of this database were ever sealed with. */
const ROW = 'secret_keys';

/**
 * Processes of one database must share the secret key: what one seals, another has to open. Their keys' ids are remembered, at
 * first those of what is sealed already; one that has none of the keys known by then is refused, before it takes runs that it
 * cannot execute. With a key that is known, new ones become known, so that rotation goes on as sealing.ts says. Throws
 * `bad_configuration`.
 */
export async function checkSharedKey(db: Kysely<Tables>, secrets: readonly string[]): Promise<void> {
  const own = secrets.map(keyId);
  await db.transaction().execute(async (trx) => {
    const known = (await rememberedIds(trx)) ?? (await idsFromNowOn(trx));
    if (known.length > 0 && !own.some((id) => known.includes(id)))
      throw new SluiceError('bad_configuration', { detail: REFUSAL });
    const value = JSON.stringify([...new Set([...known, ...own])]);
    await trx.updateTable('instance').set({ value }).where('key', '=', ROW).execute();
  });
}

/** Locked until the end of the transaction; null = nobody has remembered any. */
async function rememberedIds(trx: Transaction<Tables>): Promise<readonly string[] | null> {
  const row = await trx
    .selectFrom('instance')
    .select('value')
    .where('key', '=', ROW)
    .forUpdate()
    .executeTakeFirst();
  return row ? (row.value as readonly string[]) : null;
}

/** Of two processes that come here at once, the second finds what the first has remembered. */
async function idsFromNowOn(trx: Transaction<Tables>): Promise<readonly string[]> {
  await trx
    .insertInto('instance')
    .values({ key: ROW, value: JSON.stringify(await idsInUse(trx)) })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  return (await rememberedIds(trx)) ?? [];
}

/** Of the keys that open what is stored: versions that remembered none may have sealed it. */
async function idsInUse(trx: Transaction<Tables>): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select split_part(sealed, '.', 2) as id from integrations
    union select split_part(destination_sealed, '.', 2) from batch_exports
           where destination_sealed is not null and deleted_at is null
    union select split_part(sealed, '.', 2) from plugin_configs
           where sealed is not null and deleted_at is null`.execute(trx);
  return rows.map(({ id }) => id);
}

const REFUSAL =
  'The secret key of this process is not that of the others on this database, or of the credentials stored in it. Set SLUICE_SECRET_KEY ' +
  'to the same value for all of them; the key that was made at the first start is in secret.key of that data directory. If it is lost, ' +
  `run "insert into instance values ('${ROW}', '[]') on conflict (key) do update set value = '[]'" in the database, ` +
  'then store all credentials again.';

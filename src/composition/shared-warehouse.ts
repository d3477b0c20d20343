import type { Kysely } from 'kysely';
import type { Config } from '../config.ts';
import type { Tables } from '../database/tables.ts';
import { SluiceError } from '../errors/error.ts';
import { type EventsTable, eventsTable, isSameTable } from '../warehouse/identity.ts';
import type { Warehouse } from '../warehouse/warehouse.ts';
import type { Log } from '../work/log.ts';

/** In `instance`: the warehouse of this database's processes. */
const ROW = 'warehouse';

/**
 * Processes of one database must share the warehouse, too: one with another finds no events of the runs that it takes,
 * and ends them as complete without rows. The first remembers whose `events` it has; one with another is refused, unless
 * it is told to accept what it has, for somebody who has moved or restored the warehouse. Throws `bad_configuration`.
 */
export async function checkSharedWarehouse(
  db: Kysely<Tables>,
  warehouse: Pick<Warehouse, 'rows' | 'localFiles'>,
  { acceptWarehouse }: Pick<Config, 'acceptWarehouse'>,
  log: Pick<Log, 'warn'>,
): Promise<void> {
  const own = await eventsTable(warehouse);
  const value = JSON.stringify(own);
  await db.transaction().execute(async (trx) => {
    await trx
      .insertInto('instance')
      .values({ key: ROW, value })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    const row = await trx
      .selectFrom('instance')
      .select('value')
      .where('key', '=', ROW)
      .forUpdate()
      .executeTakeFirstOrThrow();
    const known = row.value as EventsTable;
    if (isSameTable(known, own)) return;
    if (!acceptWarehouse) throw new SluiceError('bad_configuration', { detail: refusal(known, own) });
    await trx.updateTable('instance').set({ value }).where('key', '=', ROW).execute();
    log.warn({ known, own }, ACCEPTED);
  });
}

const refusal = (known: EventsTable, own: EventsTable): string =>
  `This process has another warehouse (${named(own)}) than the others on this database (${named(known)}): it would export ` +
  'nothing and call it complete. Set CLICKHOUSE_URL to the same server and database for all of them. If the warehouse was ' +
  'moved or restored on purpose, stop all processes and start one of them once with SLUICE_ACCEPT_WAREHOUSE=1.';

const ACCEPTED =
  'SLUICE_ACCEPT_WAREHOUSE: the warehouse of this process is from now on that of this database; processes with another one ' +
  'are refused. Remove the setting.';

const named = ({ embedded, database }: EventsTable): string =>
  embedded ? 'the embedded one' : `ClickHouse, database ${database}`;

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
 * it is told to accept what it has, for somebody who has moved or restored the warehouse. So is a first one without any
 * event where runs have exported some: versions that remembered no warehouse had another one. Throws `bad_configuration`.
 */
export async function checkSharedWarehouse(
  db: Kysely<Tables>,
  warehouse: Pick<Warehouse, 'rows' | 'localFiles'>,
  { acceptWarehouse }: Pick<Config, 'acceptWarehouse'>,
  log: Pick<Log, 'warn'>,
): Promise<void> {
  const own = await eventsTable(warehouse);
  const value = JSON.stringify(own);
  if (await lacksEvents(db, warehouse)) {
    if (!acceptWarehouse) throw new SluiceError('bad_configuration', { detail: refusal(own) });
    log.warn({ own }, ACCEPTED);
  }
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
    if (!acceptWarehouse) throw new SluiceError('bad_configuration', { detail: refusal(own, known) });
    await trx.updateTable('instance').set({ value }).where('key', '=', ROW).execute();
    log.warn({ known, own }, ACCEPTED);
  });
}

/** Whether no warehouse is remembered, this one is empty, and runs have delivered rows. */
async function lacksEvents(db: Kysely<Tables>, warehouse: Pick<Warehouse, 'rows'>): Promise<boolean> {
  const known = await db.selectFrom('instance').select('key').where('key', '=', ROW).executeTakeFirst();
  if (known) return false;
  const delivered = await db
    .selectFrom('batch_export_runs')
    .select('id')
    .where('status', '=', 'Completed')
    .where('records_completed', '>', 0)
    .limit(1)
    .executeTakeFirst();
  return (
    delivered !== undefined && (await warehouse.rows({ sql: 'SELECT 1 FROM events LIMIT 1' })).length === 0
  );
}

const refusal = (own: EventsTable, known?: EventsTable): string =>
  `This process has another warehouse (${named(own)}${known ? '' : ', without any event'}) than the others on this database ` +
  `(${known ? named(known) : 'whose runs have exported events'}): it would export ` +
  'nothing and call it complete. Set CLICKHOUSE_URL to the same server and database for all of them. If the warehouse was ' +
  'moved or restored on purpose, stop all processes and start one of them once with SLUICE_ACCEPT_WAREHOUSE=1.';

const ACCEPTED =
  'SLUICE_ACCEPT_WAREHOUSE: the warehouse of this process is from now on that of this database; processes with another one ' +
  'are refused. Remove the setting.';

const named = ({ embedded, database }: EventsTable): string =>
  embedded ? 'the embedded one' : `ClickHouse, database ${database}`;

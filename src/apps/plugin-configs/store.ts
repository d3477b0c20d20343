import type { Updateable } from 'kysely';
import type { PluginConfigRow, PluginConfigsTable } from '../../database/tables.ts';
import { SluiceError } from '../../errors/error.ts';
import type { Db, Trx } from '../ports.ts';

const LARGEST_ID = 2 ** 31 - 1;

/** Ids come from paths; what is no number names nothing. Throws `not_found`. */
function readId(text: string | undefined): number {
  const id = /^\d{1,10}$/.test(text ?? '') ? Number(text) : 0;
  if (id < 1 || id > LARGEST_ID) throw new SluiceError('not_found');
  return id;
}

const visible = (db: Db | Trx, teamId: number) =>
  db.selectFrom('plugin_configs').selectAll().where('team_id', '=', teamId).where('deleted_at', 'is', null);

/** A project's plugin config that is not deleted. Throws `not_found`. */
export async function findConfig(
  db: Db | Trx,
  teamId: number,
  id: string | undefined,
): Promise<PluginConfigRow> {
  const row = await visible(db, teamId).where('id', '=', readId(id)).executeTakeFirst();
  if (!row) throw new SluiceError('not_found');
  return row;
}

/** The same, locked until the transaction ends. */
export async function lockedConfig(
  trx: Trx,
  teamId: number,
  id: string | undefined,
): Promise<PluginConfigRow> {
  const row = await visible(trx, teamId).where('id', '=', readId(id)).forUpdate().executeTakeFirst();
  if (!row) throw new SluiceError('not_found');
  return row;
}

/** In the order that people gave them. */
export async function listConfigs(
  db: Db,
  teamId: number,
  window: { readonly limit: number; readonly offset: number },
): Promise<{ count: number; rows: PluginConfigRow[] }> {
  const { count } = await db
    .selectFrom('plugin_configs')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('team_id', '=', teamId)
    .where('deleted_at', 'is', null)
    .executeTakeFirstOrThrow();
  const rows = await visible(db, teamId)
    .orderBy('order')
    .orderBy('id')
    .limit(window.limit)
    .offset(window.offset)
    .execute();
  return { count: Number(count), rows };
}

/** Behind all that there are. */
export async function nextOrder(trx: Trx, teamId: number): Promise<number> {
  const { last } = await trx
    .selectFrom('plugin_configs')
    .select((eb) => eb.fn.max('order').as('last'))
    .where('team_id', '=', teamId)
    .where('deleted_at', 'is', null)
    .executeTakeFirstOrThrow();
  return last === null ? 1 : Math.min(Number(last) + 1, LARGEST_ID);
}

export const updateConfig = (
  trx: Trx,
  id: number,
  values: Updateable<PluginConfigsTable>,
): Promise<PluginConfigRow> =>
  trx.updateTable('plugin_configs').set(values).where('id', '=', id).returningAll().executeTakeFirstOrThrow();

export interface LiveError {
  readonly message: string;
  readonly since: Date | null;
}

/** What live delivery fails with at present, by plugin config. */
export async function liveErrors(db: Db, ids: readonly number[]): Promise<Map<number, LiveError>> {
  if (ids.length === 0) return new Map();
  const rows = await db
    .selectFrom('app_deliveries')
    .select(['plugin_config_id', 'latest_error', 'failing_since'])
    .where('plugin_config_id', 'in', [...ids])
    .where('historical_export_id', 'is', null)
    // Also without a failure: what keeps it from beginning.
    .where('latest_error', 'is not', null)
    .execute();
  return new Map(
    rows.map((row) => [row.plugin_config_id, { message: row.latest_error ?? '', since: row.failing_since }]),
  );
}

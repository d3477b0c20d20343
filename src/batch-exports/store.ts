import { type Insertable, sql, type Updateable } from 'kysely';
import type { BatchExportRow, BatchExportsTable } from '../database/tables.ts';
import { SluiceError } from '../errors/error.ts';
import { FILE_DOWNLOAD } from '../export/destinations/file-download.ts';
import { uuidOf } from '../http/uuid.ts';
import type { Db, Trx } from './ports.ts';

/** Ids come from paths; one that is no UUID names nothing. Throws `not_found`. */
export function readId(id: string | undefined): string {
  const uuid = id === undefined ? null : uuidOf(id);
  if (uuid === null) throw new SluiceError('not_found');
  return uuid;
}

/** A project's export that is not deleted. Throws `not_found`. */
export async function findExport(
  db: Db | Trx,
  teamId: number,
  id: string | undefined,
): Promise<BatchExportRow> {
  const row = await visible(db, teamId, readId(id)).executeTakeFirst();
  if (!row) throw new SluiceError('not_found');
  return row;
}

/** The same, locked until the transaction ends: whoever changes an export or its runs holds this first. */
export async function lockedExport(
  trx: Trx,
  teamId: number,
  id: string | undefined,
): Promise<BatchExportRow> {
  const row = await visible(trx, teamId, readId(id)).forUpdate().executeTakeFirst();
  if (!row) throw new SluiceError('not_found');
  return row;
}

const visible = (db: Db | Trx, teamId: number, id: string) =>
  db
    .selectFrom('batch_exports')
    .selectAll()
    .where('id', '=', id)
    .where('team_id', '=', teamId)
    .where('destination_type', '!=', FILE_DOWNLOAD)
    .where('deleted_at', 'is', null);

/** How many exports of a project have an active schedule: what arrives goes out through them. */
export async function activeExports(db: Db | Trx, teamId: number): Promise<number> {
  const { count } = await db
    .selectFrom('batch_exports')
    .select((eb) => eb.fn.countAll<number | string>().as('count'))
    .where('team_id', '=', teamId)
    .where('paused', '=', false)
    .where('deleted_at', 'is', null)
    .where('next_due_at', 'is not', null)
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** Names of the exports that use an integration: it may not go while there are any (contract.md §10). */
export async function exportsUsing(db: Db | Trx, teamId: number, integrationId: number): Promise<string[]> {
  const rows = await db
    .selectFrom('batch_exports')
    .select('name')
    .where('team_id', '=', teamId)
    .where((eb) => eb.or([eb('integration_id', '=', integrationId), inCopyInputs(integrationId)]))
    .where('deleted_at', 'is', null)
    .orderBy('name')
    .execute();
  return rows.map((row) => row.name);
}

/** Redshift's COPY may take its credentials from other integrations (contract.md §5). */
const inCopyInputs = (integrationId: number) => sql<boolean>`${String(integrationId)} IN (
  destination_config #>> '{copy_inputs,authorization}', destination_config #>> '{copy_inputs,bucket_credentials}')`;

/** Deleted exports keep their row, but not the tie to an integration about to go. */
export async function letGoOfIntegration(db: Db | Trx, teamId: number, integrationId: number): Promise<void> {
  await db
    .updateTable('batch_exports')
    .set({ integration_id: null })
    .where('team_id', '=', teamId)
    .where('integration_id', '=', integrationId)
    .where('deleted_at', 'is not', null)
    .execute();
}

export function insertExport(trx: Trx, row: Insertable<BatchExportsTable>): Promise<BatchExportRow> {
  return trx.insertInto('batch_exports').values(row).returningAll().executeTakeFirstOrThrow();
}

export function updateExport(
  trx: Trx,
  id: string,
  values: Updateable<BatchExportsTable>,
): Promise<BatchExportRow> {
  return trx
    .updateTable('batch_exports')
    .set(values)
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
}

import type { RunRow } from '../../database/tables.ts';
import { SluiceError } from '../../errors/error.ts';
import { FILE_DOWNLOAD } from '../../export/destinations/file-download.ts';
import type { Window } from '../../http/pagination.ts';
import type { Db, Trx } from '../ports.ts';
import { ACTIVE_RUN_STATES } from '../runs/machine.ts';
import { readId } from '../store.ts';

/** Runs of file downloads, and nothing else; a download's export has the id of its run. */
const downloads = (db: Db | Trx) =>
  db
    .selectFrom('batch_exports as export')
    .innerJoin('batch_export_runs as run', 'run.id', 'export.id')
    .where('export.destination_type', '=', FILE_DOWNLOAD)
    .where('export.deleted_at', 'is', null);

/** A project's download. Throws `not_found`. */
export async function findDownload(db: Db, teamId: number, id: string | undefined): Promise<RunRow> {
  const row = await downloads(db)
    .selectAll('run')
    .where('run.id', '=', readId(id))
    .where('export.team_id', '=', teamId)
    .executeTakeFirst();
  if (!row) throw new SluiceError('not_found');
  return row;
}

/** Whoever has a signed link need not say whose download it is. Throws `not_found`. */
export async function findSignedDownload(db: Db, id: string | undefined): Promise<RunRow> {
  const row = await downloads(db).selectAll('run').where('run.id', '=', readId(id)).executeTakeFirst();
  if (!row) throw new SluiceError('not_found');
  return row;
}

/** Newest first. */
export async function listDownloads(
  db: Db,
  teamId: number,
  window: Window,
): Promise<{ count: number; items: { id: string; status: string }[] }> {
  const listed = downloads(db).where('export.team_id', '=', teamId);
  const { count } = await listed
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  const items = await listed
    .select(['run.id', 'run.status'])
    .orderBy('export.created_at', 'desc')
    .orderBy('export.id', 'desc')
    .limit(window.limit)
    .offset(window.offset)
    .execute();
  return { count: Number(count), items };
}

/** A project's downloads in Starting or Running. */
export async function countActive(db: Db | Trx, teamId: number): Promise<number> {
  const { count } = await downloads(db)
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('export.team_id', '=', teamId)
    .where('run.status', 'in', [...ACTIVE_RUN_STATES])
    .executeTakeFirstOrThrow();
  return Number(count);
}

import type { RunRow } from '../../database/tables.ts';
import { SluiceError } from '../../errors/error.ts';
import { startRetry } from '../backfills/create.ts';
import type { Actor, Db, ResourcePorts, Trx } from '../ports.ts';
import { record } from '../service.ts';
import { lockedExport, readId } from '../store.ts';

export type RunPath = Readonly<Record<string, string>>;

/** A run of a project's export, by the path's `batch_export_id` and `id`, however old. Throws `not_found`. */
export async function findRun(db: Db | Trx, teamId: number, path: RunPath): Promise<RunRow> {
  const row = await db
    .selectFrom('batch_export_runs')
    .selectAll()
    .where('id', '=', readId(path.id))
    .where('batch_export_id', '=', readId(path.batch_export_id))
    .where('team_id', '=', teamId)
    .executeTakeFirst();
  if (!row) throw new SluiceError('not_found');
  return row;
}

/** Repeats a run; returns the workflow id that clients expect (contract.md §7.2). Throws `not_found`, `conflict`. */
export async function retryRun(ports: ResourcePorts, actor: Actor, path: RunPath): Promise<string> {
  const { backfill, cancelled } = await ports.db.transaction().execute(async (trx) => {
    const batchExport = await lockedExport(trx, actor.teamId, path.batch_export_id);
    const run = await findRun(trx, actor.teamId, path);
    await recordOnRun(trx, ports, actor, run, 'run_retried');
    return startRetry(trx, ports, batchExport, run, ports.clock.now());
  });
  for (const runId of cancelled) ports.onRunCancelled(runId);
  return backfill.workflow_id;
}

/** What was done to a run goes into the activity log of its export. */
export const recordOnRun = (trx: Trx, ports: ResourcePorts, actor: Actor, run: RunRow, activity: string) =>
  record(trx, ports, actor, { id: run.batch_export_id }, activity, { run_id: run.id });

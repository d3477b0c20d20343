import type { RunRow } from '../../database/tables.ts';
import { advanceBackfill } from '../backfills/advance.ts';
import { appendLog } from '../logs.ts';
import type { RunPorts, Trx } from '../ports.ts';
import { statesAccepting } from './machine.ts';
import { runKind } from './snapshot.ts';

/**
 * Cancels a run and what follows from it. False when it had ended already, or is replacing files: nothing changed
 * (contract.md §7.2). `alongside` happens in the same transaction, only when there was something to cancel.
 */
export async function cancelRun(
  ports: RunPorts,
  run: Pick<RunRow, 'id' | 'batch_export_id'>,
  alongside: (trx: Trx) => Promise<void> = async () => {},
): Promise<boolean> {
  const now = ports.clock.now();
  const { cancelled, kind } = await ports.db.transaction().execute(async (trx) => {
    const batchExport = await trx
      .selectFrom('batch_exports')
      .selectAll()
      .where('id', '=', run.batch_export_id)
      .forUpdate()
      .executeTakeFirstOrThrow();
    const ids = await cancelRuns(trx, ports, { runId: run.id }, now);
    const { backfill_id: backfillId } = await trx
      .selectFrom('batch_export_runs')
      .select('backfill_id')
      .where('id', '=', run.id)
      .executeTakeFirstOrThrow();
    if (ids.length > 0) await alongside(trx);
    if (ids.length > 0 && backfillId) await advanceBackfill(trx, ports, batchExport, backfillId, now);
    return { cancelled: ids, kind: runKind(batchExport.destination_type) };
  });
  for (const id of cancelled) ports.onRunCancelled(id, kind);
  return cancelled.length > 0;
}

/** Which runs to cancel: one, those of a backfill, or all of an export. */
export type RunsOf =
  | { readonly runId: string }
  | { readonly backfillId: string }
  | { readonly exportId: string };

/**
 * Cancels the active ones of these runs; returns their ids, for `onRunCancelled` after the commit. One that has begun to remove
 * what it replaces is left to end by itself, soon; on standby nothing ends by itself, and nobody takes back what a run left:
 * the database may be a copy, and the run completed since, from the very files that the copy knows of.
 */
export async function cancelRuns(
  trx: Trx,
  { standby = false }: Pick<RunPorts, 'standby'>,
  which: RunsOf,
  now: number,
): Promise<string[]> {
  const update = trx
    .updateTable('batch_export_runs')
    .set({
      status: 'Cancelled',
      finished_at: new Date(now),
      next_attempt_at: null,
      last_updated_at: new Date(now),
      ...(standby ? { region: null } : {}),
    })
    .where('status', 'in', statesAccepting('cancel'))
    .$if(!standby, (active) => active.where('replacing', '=', false))
    .returning(['id', 'team_id', 'batch_export_id']);
  const rows = await ('runId' in which
    ? update.where('id', '=', which.runId)
    : 'backfillId' in which
      ? update.where('backfill_id', '=', which.backfillId)
      : update.where('batch_export_id', '=', which.exportId)
  ).execute();
  const ids = rows.map((row) => row.id);
  if (standby && ids.length > 0) await trx.deleteFrom('run_slices').where('run_id', 'in', ids).execute();
  const lines = rows.map((row) => ({
    teamId: row.team_id,
    exportId: row.batch_export_id,
    runId: row.id,
    level: 'WARNING' as const,
    message: 'Run cancelled.',
  }));
  await appendLog(trx, lines, now);
  return ids;
}

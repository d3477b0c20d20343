import type { RunPorts, Trx } from '../ports.ts';
import { cancelRuns } from '../runs/cancel.ts';
import { ACTIVE_BACKFILL_STATES } from './machine.ts';

/**
 * Cancels the active ones of these backfills and their runs. The caller holds the export's lock. Returns their
 * ids, and those of the runs cancelled, for `onRunCancelled` after the commit.
 */
export async function cancelBackfills(
  trx: Trx,
  ports: Pick<RunPorts, 'standby'>,
  which: { readonly backfillId: string } | { readonly exportId: string },
  now: number,
): Promise<{ readonly backfills: readonly string[]; readonly runs: readonly string[] }> {
  const backfills = await endActive(trx, which, now);
  const runs: string[] = [];
  for (const id of backfills) runs.push(...(await cancelRuns(trx, ports, { backfillId: id }, now)));
  return { backfills, runs };
}

async function endActive(
  trx: Trx,
  which: { readonly backfillId: string } | { readonly exportId: string },
  now: number,
): Promise<string[]> {
  const update = trx
    .updateTable('batch_export_backfills')
    .set({ status: 'Cancelled', finished_at: new Date(now), last_updated_at: new Date(now) })
    .where('status', 'in', [...ACTIVE_BACKFILL_STATES])
    .returning('id');
  const rows = await ('backfillId' in which
    ? update.where('id', '=', which.backfillId)
    : update.where('batch_export_id', '=', which.exportId)
  ).execute();
  return rows.map((row) => row.id);
}

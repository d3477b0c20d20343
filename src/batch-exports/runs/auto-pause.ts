import type { BatchExportRow } from '../../database/tables.ts';
import { cancelBackfills } from '../backfills/cancel.ts';
import { leaveOver } from '../backfills/left-over.ts';
import { appendLog } from '../logs.ts';
import type { RunPorts, Trx } from '../ports.ts';
import { changeSchedule } from '../schedule/change.ts';

/** Failures in a row after which an export is paused (engine.md §6). */
const FAILURES = 3;

/**
 * Pauses an export whose last three runs failed and cancels its backfills, which its log names. Failures before the
 * last edit or unpause do not count: a person may have mended what was wrong. Returns the runs cancelled; null = it is not
 * paused now.
 */
export async function pauseAfterFailures(
  trx: Trx,
  ports: RunPorts,
  batchExport: BatchExportRow,
  now: number,
): Promise<readonly string[] | null> {
  if (batchExport.paused || batchExport.deleted_at) return null;
  const latest = await trx
    .selectFrom('batch_export_runs')
    .select('status')
    .where('batch_export_id', '=', batchExport.id)
    .where('status', 'in', ['Completed', 'Failed', 'FailedRetryable'])
    .where('finished_at', '>=', batchExport.last_updated_at)
    .orderBy('last_updated_at', 'desc')
    .orderBy('id', 'desc')
    .limit(FAILURES)
    .execute();
  if (latest.length < FAILURES || latest.some((run) => run.status === 'Completed')) return null;
  const cursor = await changeSchedule(trx, ports, batchExport, { ...batchExport, paused: true }, now);
  const at = new Date(now);
  await trx
    .updateTable('batch_exports')
    .set({ ...cursor, paused: true, paused_by_failures: true, last_paused_at: at, last_updated_at: at })
    .where('id', '=', batchExport.id)
    .execute();
  const { backfills, runs } = await cancelBackfills(trx, ports, { exportId: batchExport.id }, now);
  const where = { teamId: batchExport.team_id, exportId: batchExport.id };
  const left = await leaveOver(trx, backfills);
  const lines = [told(left.cancelled), ...left.told].map((message) => ({
    ...where,
    runId: null,
    level: 'WARNING' as const,
    message,
  }));
  await appendLog(trx, lines, now);
  return runs;
}

function told(cancelled: number): string {
  const backfills = cancelled === 1 ? '1 backfill was' : `${cancelled} backfills were`;
  return (
    `Paused: the last ${FAILURES} runs failed${cancelled > 0 ? `, and ${backfills} cancelled` : ''}. Mend the cause, retry ` +
    'the failed runs, and unpause with {"backfill": true}, which makes up for what was missed meanwhile.'
  );
}

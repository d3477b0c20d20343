import type { BatchExportRow } from '../../database/tables.ts';
import { appendLog } from '../logs.ts';
import type { RunPorts, Trx } from '../ports.ts';
import { changeSchedule } from '../schedule/change.ts';
import { updateExport } from '../store.ts';

/**
 * The end of a backfill without an end: the schedule goes on from the interval in progress, in the transaction that found
 * nothing left before it, so that no interval is missed or delivered twice (B7). The caller holds the export's lock.
 */
export async function handOver(
  trx: Trx,
  ports: RunPorts,
  batchExport: BatchExportRow,
  now: number,
): Promise<void> {
  if (!batchExport.paused || batchExport.deleted_at) return;
  const cursor = await changeSchedule(trx, ports, batchExport, { ...batchExport, paused: false }, now);
  await updateExport(trx, batchExport.id, { ...cursor, paused: false, last_updated_at: new Date(now) });
  const line = { teamId: batchExport.team_id, exportId: batchExport.id, runId: null, level: 'INFO' as const };
  const message = 'Unpaused: the backfill has caught up, and the schedule goes on from here.';
  await appendLog(trx, [{ ...line, message }], now);
}

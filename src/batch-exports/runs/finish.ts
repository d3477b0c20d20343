import type { BatchExportRow } from '../../database/tables.ts';
import type { Outcome } from '../../export/outcome.ts';
import { advanceBackfill } from '../backfills/advance.ts';
import { appendLog } from '../logs.ts';
import type { RunPorts, Trx } from '../ports.ts';
import { pauseAfterFailures } from './auto-pause.ts';
import { type Claim, storable, write } from './store.ts';

export type Ending =
  /** `place`: where the outcome's files lie; absent when there are none. */
  | { readonly status: 'Completed'; readonly outcome: Outcome; readonly place?: string }
  | { readonly status: 'Failed' | 'FailedRetryable'; readonly error: string };

export interface Finished {
  /** The export was paused, since too many of its runs failed. */
  readonly paused: boolean;
}

/**
 * Ends a claimed run, and in the same transaction does what follows: the log line, the automatic pause after three
 * failures in a row, the next run of its backfill. Tells whether the export was paused. Throws `run_superseded`,
 * `run_cancelled`: then nothing happened, and what the run published for itself alone must be taken back by whoever
 * published it.
 */
export async function finishRun(ports: RunPorts, claim: Claim, ending: Ending): Promise<Finished> {
  const now = ports.clock.now();
  const cancelled = await ports.db.transaction().execute(async (trx) => {
    const { backfill_id: backfillId, ...batchExport } = await trx
      .selectFrom('batch_exports')
      .innerJoin('batch_export_runs as run', 'run.batch_export_id', 'batch_exports.id')
      .selectAll('batch_exports')
      .select('run.backfill_id')
      .where('run.id', '=', claim.id)
      .forUpdate('batch_exports')
      .executeTakeFirstOrThrow();
    await write(trx, claim, {
      ...columns(ending),
      finished_at: new Date(now),
      last_updated_at: new Date(now),
    });
    await tell(trx, batchExport, claim.id, ending, now);
    const stopped =
      ending.status === 'Completed' ? null : await pauseAfterFailures(trx, ports, batchExport, now);
    if (backfillId) await advanceBackfill(trx, ports, batchExport, backfillId, now);
    return stopped;
  });
  for (const runId of cancelled ?? []) ports.onRunCancelled(runId);
  return { paused: cancelled !== null };
}

function columns(ending: Ending) {
  if (ending.status !== 'Completed') {
    return { status: ending.status, latest_error: storable(ending.error), next_attempt_at: null };
  }
  const { outcome } = ending;
  return {
    status: ending.status,
    latest_error: null,
    next_attempt_at: null,
    records_completed: outcome.rows,
    records_total_count: outcome.proof.source.rows,
    bytes_exported: outcome.bytes,
    files: JSON.stringify(outcome.files),
    place: outcome.files.length > 0 ? (ending.place ?? null) : null,
    proof: JSON.stringify({ ...outcome.proof, cleaned: outcome.cleaned }),
  };
}

async function tell(trx: Trx, batchExport: BatchExportRow, runId: string, ending: Ending, now: number) {
  const common = { teamId: batchExport.team_id, exportId: batchExport.id, runId };
  const line =
    ending.status === 'Completed'
      ? { ...common, level: 'INFO' as const, message: `Run completed: ${ending.outcome.rows} rows exported.` }
      : { ...common, level: 'ERROR' as const, message: `Run failed: ${ending.error}` };
  await appendLog(trx, [line], now);
}

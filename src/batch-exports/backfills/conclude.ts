import type { BackfillRow, BatchExportRow, RunRow } from '../../database/tables.ts';
import { appendLog } from '../logs.ts';
import type { RunPorts, Trx } from '../ports.ts';
import { handOver } from './hand-over.ts';
import { isOpenEnded } from './open-region.ts';

/** So many failed intervals are named in the log; a list of hundreds helps nobody. */
const NAMED = 20;

type Ended = Pick<
  RunRow,
  'id' | 'status' | 'data_interval_start' | 'data_interval_end' | 'records_completed'
>;

/**
 * What follows when a backfill has finished: its rows are summed up, the export's log says how it went, and one without
 * an end hands over to the schedule. A failed interval does not fail the backfill (contract.md §13), so it is named.
 */
export async function conclude(
  trx: Trx,
  ports: RunPorts,
  batchExport: BatchExportRow,
  backfill: BackfillRow,
  now: number,
): Promise<void> {
  const runs = await trx
    .selectFrom('batch_export_runs')
    .select(['id', 'status', 'data_interval_start', 'data_interval_end', 'records_completed'])
    .where('backfill_id', '=', backfill.id)
    .orderBy('data_interval_end')
    .execute();
  const repeated = await repeatedWithSuccess(trx, backfill.id);
  const rows = runs
    .filter(({ status }) => status === 'Completed')
    .reduce((sum, run) => sum + (run.records_completed ?? 0), 0);
  await trx
    .updateTable('batch_export_backfills')
    .set({ total_records_count: rows })
    .where('id', '=', backfill.id)
    .execute();
  // A repeated run tells its own story.
  if (!backfill.retry_of) {
    const undone = runs.filter(({ id, status }) => status !== 'Completed' && !repeated.has(id));
    await tell(trx, backfill, { undone, total: runs.length, rows }, now);
  }
  if (isOpenEnded(backfill)) await handOver(trx, ports, batchExport, now);
}

/** Runs of the backfill that somebody repeated meanwhile, and that are delivered. */
async function repeatedWithSuccess(trx: Trx, backfillId: string): Promise<Set<string>> {
  const rows = await trx
    .selectFrom('batch_export_runs as run')
    .innerJoin('batch_export_backfills as repetition', 'repetition.retry_of', 'run.id')
    .innerJoin('batch_export_runs as again', 'again.backfill_id', 'repetition.id')
    .select('run.id')
    .where('run.backfill_id', '=', backfillId)
    .where('again.status', '=', 'Completed')
    .execute();
  return new Set(rows.map(({ id }) => id));
}

interface Result {
  readonly undone: readonly Ended[];
  readonly total: number;
  readonly rows: number;
}

async function tell(trx: Trx, backfill: BackfillRow, { undone, total, rows }: Result, now: number) {
  const common = { teamId: backfill.team_id, exportId: backfill.batch_export_id, runId: null };
  const lines =
    undone.length === 0
      ? [{ level: 'INFO' as const, message: `Backfill completed: ${total} intervals, ${rows} rows.` }]
      : [
          ...undone.slice(0, NAMED).map((run) => ({
            level: 'ERROR' as const,
            message: `The backfill did not export ${span(run)}: run ${run.id} is ${run.status}.`,
          })),
          {
            level: 'ERROR' as const,
            message:
              `Backfill ended: ${undone.length} of ${total} intervals were not exported. ` +
              'Retry their runs with POST …/runs/:id/retry/.',
          },
        ];
  await appendLog(
    trx,
    lines.map((line) => ({ ...common, ...line })),
    now,
  );
}

const span = ({ data_interval_start: start, data_interval_end: end }: Ended): string =>
  `${start?.toISOString() ?? 'everything'} to ${end.toISOString()}`;

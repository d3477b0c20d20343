import type { BackfillRow, BatchExportRow, RunRow } from '../../database/tables.ts';
import { SluiceError } from '../../errors/error.ts';
import type { Estimate } from '../../export/estimate.ts';
import type { ResourcePorts, RunPorts, Trx } from '../ports.ts';
import { cancelRuns } from '../runs/cancel.ts';
import { ACTIVE_RUN_STATES } from '../runs/machine.ts';
import { advanceBackfill } from './advance.ts';
import { adjustedStart } from './estimate.ts';
import { ACTIVE_BACKFILL_STATES } from './machine.ts';
import { isOpenEnded } from './open-region.ts';

/** Milliseconds since the epoch; start null = all history, end null = up to now, then the schedule goes on. */
export interface Range {
  readonly start: number | null;
  readonly end: number | null;
}

/** Milliseconds since the epoch. */
export interface Asked {
  readonly now: number;
  /** What arrived before it was there when it was asked for. */
  readonly arrivalBefore: number;
}

/**
 * Starts a backfill of a range asked for by a person. The caller holds the export's lock. Throws `conflict` when the same
 * range is being backfilled, or another backfill without an end is catching up (B6); `too_many_concurrent_backfills` is
 * checked before (contract.md §8.2).
 */
export async function startBackfill(
  trx: Trx,
  ports: ResourcePorts,
  batchExport: BatchExportRow,
  range: Range,
  estimate: Estimate | null,
  asked: Asked,
): Promise<BackfillRow> {
  const { now, arrivalBefore } = asked;
  const workflowId = workflowIdOf(batchExport.id, range);
  const active = await trx
    .selectFrom('batch_export_backfills')
    .select(['workflow_id', 'end_at', 'by_arrival', 'retry_of'])
    .where('batch_export_id', '=', batchExport.id)
    .where('retry_of', 'is', null)
    .where('status', 'in', [...ACTIVE_BACKFILL_STATES])
    .execute();
  if (active.some((other) => other.workflow_id === workflowId)) {
    throw new SluiceError('conflict', { detail: 'This range is being backfilled already.' });
  }
  if (range.end === null && active.some(isOpenEnded)) {
    throw new SluiceError('conflict', { detail: 'A backfill without an end is catching up already.' });
  }
  // Everything acknowledged before this moment: who captures, then asks for a backfill, finds it there. What
  // arrives later belongs to live runs; the live run of the interval in progress leaves out what is taken here.
  const row = {
    ...rangeColumns(range),
    ...estimateColumns(batchExport, range, estimate, asked),
    arrival_before: new Date(arrivalBefore),
    workflow_id: workflowId,
  };
  return estimate?.rows === 0 && range.end !== null
    ? endedAtOnce(trx, ports, batchExport, row, now)
    : createBackfillRow(trx, ports, batchExport, row, now);
}

/** Intervals before the first row need no run (contract.md §13); all of history is one run in any case. */
function estimateColumns(
  batchExport: BatchExportRow,
  range: Range,
  estimate: Estimate | null,
  { now, arrivalBefore }: Asked,
) {
  if (estimate === null) return {};
  const total = { total_records_count: estimate.rows };
  // Nothing has happened yet: an open end goes on with what arrives from now on.
  if (estimate.first === null && range.end === null) {
    return { ...total, next_interval_start: new Date(arrivalBefore) };
  }
  if (range.start === null || estimate.first === null) return total;
  const from = new Date(adjustedStart(batchExport, range.start, { ...estimate, latest: now }));
  return { ...total, adjusted_start_at: from, next_interval_start: from };
}

/** Nothing had arrived for the range when it was asked for, and what arrives later belongs to live runs. */
async function endedAtOnce(
  trx: Trx,
  ports: RunPorts,
  batchExport: BatchExportRow,
  row: NewBackfill,
  now: number,
): Promise<BackfillRow> {
  const ended = { ...row, status: 'Completed', next_interval_start: row.end_at, finished_at: new Date(now) };
  return insert(trx, ports, batchExport, ended, now);
}

/**
 * Repeats one run: a backfill of its interval, with one run, whose output replaces the old one (contract.md §7.2). A run
 * that is still active is cancelled first: two never write the same output. Throws `conflict` while an earlier repetition is
 * active. Returns also the runs cancelled, for `onRunCancelled`.
 */
export async function startRetry(
  trx: Trx,
  ports: ResourcePorts,
  batchExport: BatchExportRow,
  run: RunRow,
  now: number,
): Promise<{ backfill: BackfillRow; cancelled: readonly string[] }> {
  const root = (await repeatedBy(trx, run)) ?? run.id;
  const others = await trx
    .selectFrom('batch_export_runs as run')
    .innerJoin('batch_export_backfills as backfill', 'backfill.id', 'run.backfill_id')
    .select('run.id')
    .where('backfill.retry_of', '=', root)
    .where('run.status', 'in', [...ACTIVE_RUN_STATES])
    .where('run.id', '!=', run.id)
    .executeTakeFirst();
  if (others) throw new SluiceError('conflict', { detail: 'This run is being repeated already.' });
  const cancelled = await cancelRuns(trx, ports, { runId: run.id }, now);
  // It may have begun to replace files a moment ago.
  if (cancelled.length === 0 && (await isActive(trx, run.id))) {
    throw new SluiceError('conflict', { detail: 'This run is replacing files and about to end.' });
  }
  if (cancelled.length > 0 && run.backfill_id) {
    await advanceBackfill(trx, ports, batchExport, run.backfill_id, now);
  }
  const range = { start: run.data_interval_start?.getTime() ?? null, end: run.data_interval_end.getTime() };
  const row = {
    ...rangeColumns(range),
    retry_of: root,
    repetition: await nextRepetition(trx, root),
    arrival_before: new Date(range.end),
    workflow_id: workflowIdOf(batchExport.id, range),
  };
  return { backfill: await createBackfillRow(trx, ports, batchExport, row, now), cancelled };
}

async function nextRepetition(trx: Trx, root: string): Promise<number> {
  const { last } = await trx
    .selectFrom('batch_export_backfills')
    .select((eb) => eb.fn.max('repetition').as('last'))
    .where('retry_of', '=', root)
    .executeTakeFirstOrThrow();
  return (last ?? 0) + 1;
}

async function isActive(trx: Trx, runId: string): Promise<boolean> {
  const active = await trx
    .selectFrom('batch_export_runs')
    .select('id')
    .where('id', '=', runId)
    .where('status', 'in', [...ACTIVE_RUN_STATES])
    .executeTakeFirst();
  return active !== undefined;
}

async function repeatedBy(trx: Trx, run: RunRow): Promise<string | null> {
  if (!run.backfill_id) return null;
  const backfill = await trx
    .selectFrom('batch_export_backfills')
    .select('retry_of')
    .where('id', '=', run.backfill_id)
    .executeTakeFirstOrThrow();
  return backfill.retry_of;
}

type NewBackfill = Pick<BackfillRow, 'start_at' | 'end_at' | 'workflow_id' | 'arrival_before'> &
  Partial<
    Pick<
      BackfillRow,
      | 'by_arrival'
      | 'next_interval_start'
      | 'retry_of'
      | 'repetition'
      | 'adjusted_start_at'
      | 'total_records_count'
      | 'status'
      | 'finished_at'
    >
  >;

/** Stores a backfill and creates its first runs. The caller holds the export's lock. */
export async function createBackfillRow(
  trx: Trx,
  ports: RunPorts,
  batchExport: BatchExportRow,
  row: NewBackfill,
  now: number,
): Promise<BackfillRow> {
  const created = await insert(trx, ports, batchExport, row, now);
  await advanceBackfill(trx, ports, batchExport, created.id, now);
  return created;
}

async function insert(
  trx: Trx,
  ports: RunPorts,
  batchExport: BatchExportRow,
  row: NewBackfill,
  now: number,
): Promise<BackfillRow> {
  return trx
    .insertInto('batch_export_backfills')
    .values({
      status: 'Starting',
      ...row,
      id: ports.newId(),
      team_id: batchExport.team_id,
      batch_export_id: batchExport.id,
      created_at: new Date(now),
      last_updated_at: new Date(now),
    })
    .returningAll()
    .executeTakeFirstOrThrow();
}

export const rangeColumns = (range: Range) => ({
  start_at: range.start === null ? null : new Date(range.start),
  end_at: range.end === null ? null : new Date(range.end),
});

/** `<export>-Backfill-<start>-<end>`, the id upstream's clients know (contract.md §13). */
export function workflowIdOf(exportId: string, range: Range): string {
  const start = range.start === null ? 'START' : iso(range.start);
  return `${exportId}-Backfill-${start}-${range.end === null ? 'END' : iso(range.end)}`;
}

const iso = (at: number): string => new Date(at).toISOString().replace(/(?:\.000)?Z$/, '+00:00');

import type { BackfillRow, BatchExportRow } from '../database/tables.ts';
import { formatMoment, formatTimestamp, type Moment } from '../http/timestamps.ts';
import { progressOf, type RunCounts } from './backfills/progress.ts';
import type { ShownRun } from './runs/shown.ts';
import { type Cadence, type IntervalName, isCalendar, offsetDay, offsetHour } from './schedule/intervals.ts';

/** Of an export, what the API tells. */
export type PresentedExport = Omit<
  BatchExportRow,
  | 'destination_sealed'
  | 'paused_by_failures'
  | 'next_interval_start'
  | 'next_due_at'
  | 'created_by'
  | 'last_modified_by'
  | 'deleted_at'
>;

/** A row whose moments may be written already. */
export type Written<Row> = {
  readonly [Name in keyof Row]: Row[Name] extends Date
    ? Moment
    : Row[Name] extends Date | null
      ? Moment | null
      : Row[Name];
};

/** Rows as the API shows them. `latestRuns`: newest created first (contract.md §4.1). */
export function presentExport(row: Written<PresentedExport>, latestRuns: readonly Written<ShownRun>[]) {
  const interval = row.interval as IntervalName;
  return {
    id: row.id,
    team_id: row.team_id,
    name: row.name,
    model: row.model,
    destination: {
      type: row.destination_type,
      config: row.destination_config,
      integration: row.integration_id,
    },
    interval: row.interval,
    paused: row.paused,
    created_at: formatMoment(row.created_at),
    last_updated_at: formatMoment(row.last_updated_at),
    last_paused_at: formatMoment(row.last_paused_at),
    start_at: formatMoment(row.start_at),
    end_at: formatMoment(row.end_at),
    latest_runs: latestRuns.map(presentRun),
    hogql_query: row.hogql_query,
    hogql_modifiers: row.hogql_modifiers,
    primary_key: row.primary_key,
    version_key: row.version_key,
    incremental_mode: row.incremental_mode,
    schema: null,
    filters: row.filters,
    timezone: row.timezone,
    offset_day: interval === 'week' ? offsetDay(row.interval_offset) : null,
    offset_hour: isCalendar(interval) ? offsetHour(row.interval_offset) : null,
  };
}

/** contract.md §7.1, and three keys of our own: which attempt, when the next, and the proof. */
export function presentRun(row: Written<ShownRun>) {
  return {
    id: row.id,
    batch_export: row.on_demand ? null : row.batch_export_id,
    batch_export_on_demand: row.on_demand ? row.batch_export_id : null,
    backfill: row.backfill_id,
    status: row.status,
    records_completed: row.records_completed,
    records_failed: row.records_failed,
    records_total_count: row.records_total_count,
    bytes_exported: row.bytes_exported,
    latest_error: row.latest_error,
    data_interval_start: formatMoment(row.data_interval_start),
    data_interval_end: formatMoment(row.data_interval_end),
    cursor: null,
    created_at: formatMoment(row.created_at),
    finished_at: formatMoment(row.finished_at),
    last_updated_at: formatMoment(row.last_updated_at),
    attempt: row.attempt,
    next_attempt_at: formatMoment(row.next_attempt_at),
    proof: row.proof,
  };
}

/** contract.md §8.1. `runs` counts those of the backfill; `now` in milliseconds since the epoch. */
export function presentBackfill(row: BackfillRow, cadence: Cadence, runs: RunCounts, now: number) {
  return {
    id: row.id,
    team: row.team_id,
    batch_export: row.batch_export_id,
    start_at: formatMoment(row.start_at),
    end_at: formatMoment(row.end_at),
    adjusted_start_at: formatMoment(row.adjusted_start_at),
    status: row.status,
    total_records_count: row.total_records_count,
    progress: progressOf(row, cadence, runs, now),
    created_at: formatTimestamp(row.created_at),
    finished_at: formatMoment(row.finished_at),
    last_updated_at: formatTimestamp(row.last_updated_at),
  };
}

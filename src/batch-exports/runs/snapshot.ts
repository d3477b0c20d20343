import type { BatchExportRow, RunRow } from '../../database/tables.ts';
import { FILE_DOWNLOAD } from '../../export/destinations/file-download.ts';

/** An export's configuration as it was when a run was created. Secrets are looked up when it runs. */
export interface RunSnapshot {
  readonly model: string;
  readonly interval: string;
  readonly timezone: string;
  readonly destination: {
    readonly type: string;
    /** Public keys only. */
    readonly config: Readonly<Record<string, unknown>>;
    readonly integrationId: number | null;
  };
  readonly filters: readonly Readonly<Record<string, unknown>>[] | null;
  readonly hogqlQuery: string | null;
  readonly hogqlModifiers: Readonly<Record<string, unknown>> | null;
  readonly primaryKey: readonly string[] | null;
  readonly versionKey: readonly string[] | null;
  readonly incrementalMode: string;
  /**
   * Of a download: it takes what arrived before this moment, milliseconds since the epoch. Absent in those that an earlier
   * version made.
   */
  readonly arrivalBefore?: number;
}

/** Asked for by a person once, for a file download; no schedule and no backfill has it. */
export function isOnDemand(row: Pick<RunRow, 'snapshot'>): boolean {
  return (row.snapshot as unknown as RunSnapshot).destination.type === FILE_DOWNLOAD;
}

/** What a run is to whoever watches: downloads fail of what their asker did, and nobody need get up at night. */
export const RUN_KINDS = ['export', 'download'] as const;
export type RunKind = (typeof RUN_KINDS)[number];

export const runKind = (destinationType: string): RunKind =>
  destinationType === FILE_DOWNLOAD ? 'download' : 'export';

export function snapshotOf(row: BatchExportRow): RunSnapshot {
  return {
    model: row.model,
    interval: row.interval,
    timezone: row.timezone,
    destination: {
      type: row.destination_type,
      config: row.destination_config,
      integrationId: row.integration_id,
    },
    filters: row.filters,
    hogqlQuery: row.hogql_query,
    hogqlModifiers: row.hogql_modifiers,
    primaryKey: row.primary_key,
    versionKey: row.version_key,
    incrementalMode: row.incremental_mode,
  };
}

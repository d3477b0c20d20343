import { type Kysely, sql } from 'kysely';
import type { Tables } from '../../src/database/tables.ts';

/** How much an installation of a few years has. */
export interface Amounts {
  readonly exports: number;
  /** Of each export but every tenth, which has none. */
  readonly runsEach: number;
  /** The first export's own, beside those. */
  readonly runsOfFirst: number;
  readonly backfillsOfFirst: number;
  readonly logLinesOfFirst: number;
}

/** The id of the first export, which has the long lists. */
export const FIRST_EXPORT = '00000000-0000-4000-8000-000000000001';

/**
 * Puts exports, runs, backfills and log lines into the database in bulk, those of the past hours first. Everything is a
 * function of its number; nothing is due, and the runs have been counted. `now` in milliseconds since the epoch.
 */
export async function fillDatabase(
  db: Kysely<Tables>,
  teamId: number,
  amounts: Amounts,
  now: number,
): Promise<void> {
  const at = sql`${new Date(now).toISOString()}::timestamptz`;
  const id = (prefix: number, n: ReturnType<typeof sql>) =>
    sql`lpad(to_hex(${sql.lit(prefix)}), 8, '0') || '-0000-4000-8000-' || lpad(to_hex(${n}), 12, '0')`;
  const config = JSON.stringify({
    prefix: 'events/{year}/{month}/{day}',
    file_format: 'Parquet',
    compression: 'zstd',
  });
  const snapshot = `{"model": "events", "interval": "hour", "timezone": "UTC", "filters": null, "hogqlQuery": null,
    "destination": {"type": "Filesystem", "config": ${config}, "integrationId": null}}`;
  const proof = JSON.stringify({
    source: { rows: 1200, fingerprint: '9f86d081884c7d65' },
    written: { rows: 1200, bytes: 483221 },
    reread: { rows: 1200, fingerprint: '9f86d081884c7d65' },
  });
  const n = sql`n`;
  await sql`
    insert into batch_exports (id, team_id, name, model, destination_type, destination_config, "interval",
      next_interval_start, created_at, last_updated_at)
    select (${id(0, n)})::uuid, ${teamId}, 'export ' || n, 'events', 'Filesystem', ${config}::jsonb, 'hour',
      ${at}, ${at} - n * interval '1 minute', ${at}
    from generate_series(1, ${amounts.exports}::int) n`.execute(db);
  await sql`
    insert into batch_export_backfills (id, team_id, batch_export_id, workflow_id, status, start_at, end_at,
      arrival_before, created_at, last_updated_at)
    select (${id(2, n)})::uuid, ${teamId}, ${FIRST_EXPORT}, 'w' || n, 'Completed', ${at} - n * interval '1 day',
      ${at} - (n - 1) * interval '1 day', ${at}, ${at} - n * interval '1 hour', ${at}
    from generate_series(1, ${amounts.backfillsOfFirst}::int) n`.execute(db);
  const status = sql`(array['Completed', 'Completed', 'Completed', 'Failed'])[1 + k % 4]`;
  // k counts the runs of one export back from now, an hour each; n is the export.
  const runs = (numbers: ReturnType<typeof sql>) =>
    sql`
      insert into batch_export_runs (id, team_id, batch_export_id, backfill_id, status, records_completed,
        records_total_count, bytes_exported, data_interval_start, data_interval_end, attempt, snapshot, region, excludes,
        proof, created_at, finished_at, last_updated_at, counted)
      select ('00000001-' || lpad(to_hex(k % 65536), 4, '0') || '-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
        ${teamId}, (${id(0, n)})::uuid,
        case when n = 1 and k <= ${amounts.backfillsOfFirst}::int then (${id(2, sql`k`)})::uuid end,
        ${status}, 1200, 1200, 483221, ${at} - k * interval '1 hour', ${at} - (k - 1) * interval '1 hour', 1,
        ${snapshot}::jsonb, '{"arrivalFrom": 0, "arrivalTo": 0, "eventFrom": null, "eventTo": null}'::jsonb, '[]'::jsonb,
        ${proof}::jsonb, ${at} - (k - 1) * interval '1 minute', ${at}, ${at}, true
      from ${numbers}`.execute(db);
  await runs(
    sql`generate_series(2, ${amounts.exports}::int) n, generate_series(1, ${amounts.runsEach}::int) k where n % 10 <> 0`,
  );
  await runs(sql`(select 1 as n) one, generate_series(1, ${amounts.runsOfFirst}::int) k`);
  await sql`
    insert into log_entries (team_id, log_source, log_source_id, instance_id, "timestamp", level, message)
    select ${teamId}, 'batch_exports', ${FIRST_EXPORT},
      '00000001-' || lpad(to_hex(n % 1000), 4, '0') || '-4000-8000-000000000001', ${at} - n * interval '1 second',
      (array['INFO', 'INFO', 'INFO', 'ERROR'])[1 + n % 4], 'Slice ' || n || ' is at its destination'
    from generate_series(1, ${amounts.logLinesOfFirst}::int) n`.execute(db);
  for (const table of ['batch_exports', 'batch_export_runs', 'batch_export_backfills', 'log_entries']) {
    await sql`analyze ${sql.table(table)}`.execute(db);
  }
}

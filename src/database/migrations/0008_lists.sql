-- Lists stay quick with years of runs (bench/lists.ts): backfills in the order of their ranges, where one without a
-- beginning stands first, and the log of one run among those of its export.
create index backfills_export_start on batch_export_backfills
  (batch_export_id, coalesce(start_at, '-infinity'::timestamptz) desc, id desc);
create index log_entries_run on log_entries (team_id, log_source, log_source_id, instance_id, "timestamp" desc, id desc);

-- Which backfills can move on is asked at every tick: their active runs must be found without reading those that ended.
create index runs_backfill_active on batch_export_runs (batch_export_id, backfill_id)
  where backfill_id is not null and status in ('Starting', 'Running');

-- Catch-ups that the automatic pause cancelled before 0021 are known by its line in the log, which has their moment. Since 0021 the
-- next catch-up took over what was left: such a later one reaches from the first interval that was not delivered to the end.
with cancelled as (
  select backfill.id, backfill.batch_export_id, backfill.finished_at, backfill.arrival_before,
         least(coalesce(backfill.next_interval_start, backfill.start_at), (
           select min(run.data_interval_start) from batch_export_runs run
            where run.backfill_id = backfill.id and run.status <> 'Completed' and not exists (
              select from batch_export_backfills repetition
                join batch_export_runs again on again.backfill_id = repetition.id
               where repetition.retry_of = run.id and again.status = 'Completed'))) as undone_from
    from batch_export_backfills backfill join batch_exports export on export.id = backfill.batch_export_id
   where backfill.by_arrival and backfill.retry_of is null and backfill.status = 'Cancelled' and not backfill.unfinished
     and export.deleted_at is null
     and exists (select 1 from log_entries line
                  where line.team_id = export.team_id and line.log_source = 'batch_exports' and line.log_source_id = export.id::text
                    and line.instance_id = '' and line.level = 'WARNING' and line."timestamp" = backfill.finished_at
                    and line.message like 'Paused: the last % runs failed%')),
lost as (
  update batch_export_backfills backfill set unfinished = true
    from cancelled
   where backfill.id = cancelled.id and cancelled.undone_from < cancelled.arrival_before
     and not exists (
       select from batch_export_backfills later
        where later.batch_export_id = cancelled.batch_export_id and later.by_arrival and later.retry_of is null
          and later.created_at >= cancelled.finished_at
          and coalesce(later.adjusted_start_at, later.start_at) <= cancelled.undone_from
          and later.arrival_before >= cancelled.arrival_before)
  returning backfill.id, backfill.team_id, backfill.batch_export_id)
-- An export that runs again has no other reason to be unpaused.
insert into log_entries (team_id, log_source, log_source_id, instance_id, "timestamp", level, message)
select team_id, 'batch_exports', batch_export_id::text, '', date_trunc('milliseconds', now()), 'WARNING',
       'The automatic pause cancelled the backfill ' || id || ', and nothing has made up for what it had yet to export. Unpause with '
       || '{"backfill": true} to make up for it; an export that is not paused must be paused first.'
  from lost;

-- Of the backfills that repeat a run, 1 = the first, 2 = the second …: which came first does not depend on any clock.
alter table batch_export_backfills add column repetition integer;
update batch_export_backfills backfill set repetition = numbered.place
  from (select id, row_number() over (partition by retry_of order by created_at, id) as place
          from batch_export_backfills where retry_of is not null) numbered
 where numbered.id = backfill.id;

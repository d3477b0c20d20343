-- What is appended to the names of a run's files, '' = nothing, null = not chosen yet. Chosen once for a run and all that repeat it
-- (docs/state-machines.md, R8). Rows that are there get '' without being rewritten.
alter table batch_export_runs add column key_suffix text default '';
alter table batch_export_runs alter column key_suffix drop default;

-- What has not begun and was not repeated chooses anew; what repeats another takes the other's.
update batch_export_runs run set key_suffix = null
 where (region is null and not exists (
          select from batch_export_backfills again where again.retry_of = run.id))
    or exists (
          select from batch_export_backfills backfill
           where backfill.id = run.backfill_id and backfill.retry_of is not null);

-- Runs of backfills: by what they published, or who repeated them; without any file, by the rule that they were named by while they are
-- at work, else anew.
with published as (
  select root.id, bool_or(position('_backfill-' || root.backfill_id in file->>'key') > 0) as suffixed
    from batch_export_runs run
    join batch_export_backfills backfill on backfill.id = run.backfill_id
    join batch_export_runs root on root.id = coalesce(backfill.retry_of, run.id)
   cross join lateral jsonb_array_elements(run.files) file
   where root.backfill_id is not null
   group by root.id),
named as (
  select run.id, run.backfill_id,
         case when published.id is not null then published.suffixed
              when run.status = 'Running' then not (
                run.data_interval_start is not null
                and run.data_interval_end <= least(
                      (select next_interval_start from batch_exports where id = run.batch_export_id),
                      (select min(live.data_interval_start) from batch_export_runs live
                        where live.batch_export_id = run.batch_export_id and live.backfill_id is null))
                and not exists (
                      select from batch_export_runs other
                        join batch_export_backfills theirs on theirs.id = other.backfill_id
                       where other.batch_export_id = run.batch_export_id and other.id < run.id
                         and theirs.retry_of is null
                         and other.data_interval_end > run.data_interval_start
                         and coalesce(other.data_interval_start, '-infinity') < run.data_interval_end))
         end as suffixed
    from batch_export_runs run
    left join published on published.id = run.id
   where run.backfill_id is not null and run.key_suffix = '')
update batch_export_runs run
   set key_suffix = case when named.suffixed then 'backfill-' || named.backfill_id end
  from named where named.id = run.id and named.suffixed is distinct from false;

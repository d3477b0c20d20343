-- Whether an export paused itself, and nobody has unpaused it since: a person must look. Older pauses are known by their line in the log.
alter table batch_exports add column paused_by_failures boolean not null default false;
update batch_exports export set paused_by_failures = true
 where paused and deleted_at is null
   and exists (select 1 from log_entries line
                where line.team_id = export.team_id and line.log_source = 'batch_exports' and line.log_source_id = export.id::text
                  and line.instance_id = '' and line.level = 'WARNING' and line."timestamp" = export.last_paused_at
                  and line.message like 'Paused: the last % runs failed%');
create index batch_exports_paused_by_failures on batch_exports (id) where paused_by_failures and deleted_at is null;

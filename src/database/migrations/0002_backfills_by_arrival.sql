-- A backfill that makes up for a pause delivers what live runs would have: rows by arrival time, late ones
-- included (docs/state-machines.md).
alter table batch_export_backfills add column by_arrival boolean not null default false;

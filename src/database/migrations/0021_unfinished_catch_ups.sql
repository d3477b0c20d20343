-- A catch-up that the automatic pause cancelled: the next one takes over what it left.
alter table batch_export_backfills add column unfinished boolean not null default false;

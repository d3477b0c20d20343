-- Where a run's files lie: whoever repeats it replaces them there and nowhere else. Null = none, or of an earlier version.
alter table batch_export_runs add column place text;
-- A run that has begun to remove what it replaces: it goes to its end, and nobody cancels it.
alter table batch_export_runs add column replacing boolean not null default false;
-- Who repeats a run is found by the run.
create index backfills_retry_of on batch_export_backfills (retry_of) where retry_of is not null;
-- Of a run's failures, those that were bugs: three end it, however often anything else failed before.
alter table batch_export_runs add column bugs integer not null default 0;

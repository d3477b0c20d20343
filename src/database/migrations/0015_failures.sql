-- How often the run failed and was to be tried again. `attempt` says how often it was claimed: also after a wait for the arrival
-- watermark, a restart or a change of hands, none of which is a failure.
alter table batch_export_runs add column failures integer not null default 0;

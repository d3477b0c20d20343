-- When a process said last that it is at work on the run; null = none does.
alter table batch_export_runs add column seen_at timestamptz;

-- A text that few errors hold is looked for in the errors alone (bench/lists.ts).
create index log_entries_level on log_entries (team_id, log_source, log_source_id, level, "timestamp" desc, id desc);

-- Claims in a row that ended without a word, most likely with the process that made them: nothing was stored about the attempt.
alter table batch_export_runs add column silent_claims integer not null default 0;

-- The list of exports leaves internal types out, and counts the others: with their type in the index's condition an index-only scan
-- does both.
drop index batch_exports_team;
create index batch_exports_listed on batch_exports (team_id, created_at desc, id desc)
  where deleted_at is null and destination_type not in ('Workflows', 'FileDownload');

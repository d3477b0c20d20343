-- A file download is an export of its own with one run of the same id (contract.md §9). Lists of downloads are
-- newest first; lists of exports leave them out.
create index batch_exports_downloads on batch_exports (team_id, created_at desc, id desc)
  where destination_type = 'FileDownload' and deleted_at is null;

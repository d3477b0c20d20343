-- An acknowledged event survives a power cut. A server's own settings, and its replicas, decide there.

ALTER TABLE events MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1;

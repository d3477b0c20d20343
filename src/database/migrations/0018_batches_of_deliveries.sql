-- Deleting a delivery deletes its batches, ended ones included: without an index that has them, too, every app that is turned off
-- reads the ledgers of all historical exports.
drop index app_batches_open;
create index app_batches_delivery on app_batches (delivery_id, ended_at);

-- What an attempt is taking back: no later one goes on with it (src/export/withdraw.ts).
alter table run_slices add column withdrawn boolean not null default false;

-- Apps: plugin configs, live delivery, historical exports, app metrics (contract.md §11, docs/state-machines.md).

create table plugin_configs (
  id integer primary key generated always as identity,
  team_id integer not null references projects (id),
  -- The app: an id of src/apps/catalogue.
  plugin_id integer not null,
  enabled boolean not null default false,
  "order" integer not null default 0,
  name text,
  description text,
  config jsonb not null,
  -- Secret fields of the config, sealed like an integration; null when there are none.
  sealed text,
  created_by integer references users (id),
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null,
  -- When it was last turned on: live delivery begins with what arrives from here on.
  enabled_at timestamptz(3),
  deleted_at timestamptz(3)
);
create index plugin_configs_team on plugin_configs (team_id, "order", id) where deleted_at is null;

create table historical_exports (
  -- The API's job_id.
  id uuid primary key,
  organization_id uuid references organizations (id),
  team_id integer not null references projects (id),
  plugin_config_id integer not null references plugin_configs (id),
  -- As it was asked for: dateRange, parallelism.
  payload jsonb not null,
  -- Event time, half open: local midnights around the inclusive days.
  event_from timestamptz(3) not null,
  event_to timestamptz(3) not null,
  -- What arrives later belongs to live delivery.
  arrival_before timestamptz(3) not null,
  parallelism integer not null,
  status text not null,
  total_events bigint,
  delivered_events bigint not null default 0,
  failed_events bigint not null default 0,
  -- 0 to 1
  progress double precision not null default 0,
  failure_reason text,
  created_by integer references users (id),
  created_at timestamptz(3) not null,
  finished_at timestamptz(3)
);
create index historical_exports_config on historical_exports (plugin_config_id, created_at desc);

-- How far an app has come: one row per enabled plugin config, one more per historical export under way.
create table app_deliveries (
  id uuid primary key,
  plugin_config_id integer not null references plugin_configs (id),
  historical_export_id uuid unique references historical_exports (id),
  -- Of a live delivery: the plugin config's enabled_at that it follows.
  since timestamptz(3) not null,
  -- Everything up to here is delivered or in a batch below. Microseconds since the epoch: arrival then event
  -- time (live), event time then arrival (historical export).
  cursor_first bigint not null,
  cursor_second bigint not null,
  cursor_uuid uuid not null,
  -- Fencing: raised by every change of hands; every later write carries it.
  epoch integer not null default 0,
  owner text,
  lease_until timestamptz(3),
  -- Failed attempts in a row, and when the next one may begin.
  failures integer not null default 0,
  failing_since timestamptz(3),
  next_attempt_at timestamptz(3),
  latest_error text
);
create unique index app_deliveries_live on app_deliveries (plugin_config_id) where historical_export_id is null;

-- A batch is stored before it is sent, so that every attempt has the same bounds and the same idempotency key
-- (the id). Delivered ones are deleted (live) or kept as the ledger (historical export).
create table app_batches (
  id uuid primary key,
  delivery_id uuid not null references app_deliveries (id) on delete cascade,
  after_first bigint not null,
  after_second bigint not null,
  after_uuid uuid not null,
  until_first bigint not null,
  until_second bigint not null,
  until_uuid uuid not null,
  events integer not null,
  -- Attempts that failed or whose end nobody knows.
  attempts integer not null default 0,
  ended_at timestamptz(3)
);
create index app_batches_open on app_batches (delivery_id) where ended_at is null;

-- App metrics on their way to the warehouse: written in the transaction that ends a batch, so that they say what happened.
create table app_metric_outbox (
  id bigint primary key generated always as identity,
  team_id integer not null,
  plugin_config_id integer not null,
  category text not null,
  job_id text not null default '',
  successes integer not null default 0,
  successes_on_retry integer not null default 0,
  failures integer not null default 0,
  error_uuid uuid,
  error_type text not null default '',
  error_details text not null default '',
  "timestamp" timestamptz(3) not null,
  -- The insert they belong to; null = none yet.
  flush bigint
);

-- Its only row: who writes app metrics, and the number of the newest insert.
create table app_metric_writer (
  "only" boolean primary key default true check ("only"),
  flush bigint not null default 0,
  owner text,
  lease_until timestamptz(3)
);
insert into app_metric_writer ("only") values (true);

-- Whether the outcome of a finished run is in the warehouse's app_metrics2.
alter table batch_export_runs add column counted boolean not null default false;
create index runs_uncounted on batch_export_runs (finished_at) where finished_at is not null and not counted;

-- Everything Sluice must remember. Times are milliseconds of the application's clock, never now():
-- the clock is a parameter everywhere.

create table instance (
  key text primary key,
  value jsonb not null
);

create table organizations (
  id uuid primary key,
  name text not null,
  created_at timestamptz(3) not null
);

create table projects (
  id integer primary key generated always as identity,
  organization_id uuid not null references organizations (id),
  name text not null,
  -- The project key (phc_…) that capture accepts. Not a secret: it is in every web page that sends events.
  api_token text not null unique,
  timezone text not null default 'UTC',
  created_at timestamptz(3) not null
);

create table users (
  id integer primary key generated always as identity,
  uuid uuid not null unique,
  distinct_id text not null unique,
  email text not null unique,
  first_name text not null default '',
  last_name text not null default '',
  is_active boolean not null default true,
  current_project_id integer references projects (id),
  created_at timestamptz(3) not null
);

create table organization_members (
  organization_id uuid not null references organizations (id),
  user_id integer not null references users (id),
  -- 1 member, 8 administrator, 15 owner
  level smallint not null,
  primary key (organization_id, user_id)
);

create table personal_api_keys (
  id uuid primary key,
  user_id integer not null references users (id),
  label text not null,
  key_hash text not null unique,
  -- The first and last characters, so that a person can tell keys apart.
  mask text not null,
  scopes text[] not null,
  scoped_projects integer[],
  scoped_organizations uuid[],
  created_at timestamptz(3) not null,
  last_used_at timestamptz(3),
  revoked_at timestamptz(3)
);

create table activity_log (
  id uuid primary key,
  organization_id uuid references organizations (id),
  team_id integer references projects (id),
  user_id integer references users (id),
  scope text not null,
  item_id text not null,
  activity text not null,
  detail jsonb not null,
  created_at timestamptz(3) not null
);
create index activity_log_item on activity_log (team_id, scope, item_id, created_at desc);

create table integrations (
  id integer primary key generated always as identity,
  team_id integer not null references projects (id),
  kind text not null,
  -- What two integrations of a kind must not share: a name, a host, an account.
  identity text not null,
  config jsonb not null,
  -- AES-256-GCM envelope of the secret part; see src/integrations.
  sealed text not null,
  errors text not null default '',
  created_by integer references users (id),
  created_at timestamptz(3) not null,
  unique (team_id, kind, identity)
);

create table batch_exports (
  id uuid primary key,
  team_id integer not null references projects (id),
  name text not null,
  model text not null,
  destination_type text not null,
  destination_config jsonb not null,
  -- Secret keys of the config, sealed like an integration; null when there are none.
  destination_sealed text,
  integration_id integer references integrations (id),
  "interval" text not null,
  -- Seconds after midnight (day) or after Sunday midnight (week); null = default (contract.md §4.3).
  interval_offset integer,
  timezone text not null default 'UTC',
  paused boolean not null default false,
  filters jsonb,
  hogql_query text,
  hogql_modifiers jsonb,
  primary_key text[],
  version_key text[],
  incremental_mode text not null default 'APPEND',
  start_at timestamptz(3),
  end_at timestamptz(3),
  last_paused_at timestamptz(3),
  -- The schedule's cursor: the first interval without a run starts here.
  next_interval_start timestamptz(3) not null,
  -- When the tick should look at this export next: interval end plus jitter. Null = never (paused, ended).
  next_due_at timestamptz(3),
  created_by integer references users (id),
  last_modified_by integer references users (id),
  created_at timestamptz(3) not null,
  last_updated_at timestamptz(3) not null,
  deleted_at timestamptz(3)
);
create index batch_exports_team on batch_exports (team_id, created_at desc, id desc) where deleted_at is null;
create index batch_exports_due on batch_exports (next_due_at) where next_due_at is not null;

create table batch_export_backfills (
  id uuid primary key,
  team_id integer not null references projects (id),
  batch_export_id uuid not null references batch_exports (id),
  -- The workflow id that run retries answer with (contract.md §7.2).
  workflow_id text not null,
  status text not null,
  start_at timestamptz(3),
  end_at timestamptz(3),
  adjusted_start_at timestamptz(3),
  total_records_count bigint,
  -- The run this backfill repeats; null for a range asked for by a person.
  retry_of uuid,
  -- Rows that arrive at or after this instant belong to live runs, not to this backfill.
  arrival_before timestamptz(3) not null,
  -- First interval that has no run yet; null = start_at or all history.
  next_interval_start timestamptz(3),
  created_at timestamptz(3) not null,
  finished_at timestamptz(3),
  last_updated_at timestamptz(3) not null
);
create index backfills_export on batch_export_backfills (batch_export_id, created_at desc, id desc);
create index backfills_active on batch_export_backfills (team_id) where status in ('Starting', 'Running');

create table batch_export_runs (
  id uuid primary key,
  team_id integer not null references projects (id),
  batch_export_id uuid not null references batch_exports (id),
  backfill_id uuid references batch_export_backfills (id),
  status text not null,
  records_completed bigint,
  records_failed bigint,
  records_total_count bigint,
  bytes_exported bigint,
  latest_error text,
  data_interval_start timestamptz(3),
  data_interval_end timestamptz(3) not null,
  -- Fencing: raised by every claim; every later write of this run carries it.
  attempt integer not null default 0,
  next_attempt_at timestamptz(3),
  worker text,
  -- The configuration as it was when the run was created; secrets are looked up at run time.
  snapshot jsonb not null,
  -- Frozen at the first plan: the region of (arrival time × event time) this run delivers and what
  -- earlier runs delivered already (docs/state-machines.md).
  region jsonb,
  excludes jsonb,
  -- The keys published and the proof: counts at the source, written, re-read; hashes.
  files jsonb,
  proof jsonb,
  created_at timestamptz(3) not null,
  finished_at timestamptz(3),
  last_updated_at timestamptz(3) not null
);
create unique index runs_interval on batch_export_runs (batch_export_id, data_interval_end)
  where backfill_id is null;
create unique index runs_backfill_interval on batch_export_runs (backfill_id, data_interval_end)
  where backfill_id is not null;
create index runs_export_created on batch_export_runs (batch_export_id, created_at desc, id desc);
create index runs_export_interval on batch_export_runs (batch_export_id, data_interval_start desc, id desc);
create index runs_export_updated on batch_export_runs (batch_export_id, last_updated_at desc);
create index runs_active on batch_export_runs (status, next_attempt_at) where status in ('Starting', 'Running');

-- The ledger: one row per finished slice of a run. A resumed run skips what is here.
create table run_slices (
  run_id uuid not null references batch_export_runs (id) on delete cascade,
  -- `0/1`, or `3/8` for the fourth of eight; a slice split for memory leaves finer ones.
  slice text not null,
  attempt integer not null,
  rows bigint not null,
  bytes bigint not null,
  file jsonb not null,
  finished_at timestamptz(3) not null,
  primary key (run_id, slice)
);

create table log_entries (
  id bigint primary key generated always as identity,
  team_id integer not null,
  log_source text not null,
  log_source_id text not null,
  instance_id text not null,
  "timestamp" timestamptz(6) not null,
  level text not null,
  message text not null
);
create index log_entries_source on log_entries (team_id, log_source, log_source_id, "timestamp" desc);

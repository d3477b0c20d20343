import type { ColumnType, Generated, Selectable } from 'kysely';

/** Row types of `migrations/*.sql`, for Kysely. bigint arrives as number (counts stay far below 2^53). */
type Json<T> = ColumnType<T, string, string>;
type When = ColumnType<Date, Date, Date>;
type MaybeWhen = ColumnType<Date | null, Date | null | undefined, Date | null>;
type Maybe<T> = ColumnType<T | null, T | null | undefined, T | null>;
type MaybeJson<T> = ColumnType<T | null, string | null | undefined, string | null>;
type JsonObject = Record<string, unknown>;

export interface OrganizationsTable {
  id: string;
  name: string;
  created_at: When;
}

export interface ProjectsTable {
  id: Generated<number>;
  organization_id: string;
  name: string;
  api_token: string;
  timezone: Generated<string>;
  created_at: When;
}

export interface UsersTable {
  id: Generated<number>;
  uuid: string;
  distinct_id: string;
  email: string;
  first_name: Generated<string>;
  last_name: Generated<string>;
  is_active: Generated<boolean>;
  current_project_id: Maybe<number>;
  password_hash: Maybe<string>;
  created_at: When;
}

export interface SessionsTable {
  id: string;
  user_id: number;
  token_hash: string;
  created_at: When;
  expires_at: When;
}

export interface OrganizationMembersTable {
  organization_id: string;
  user_id: number;
  level: number;
}

export interface PersonalApiKeysTable {
  id: string;
  user_id: number;
  label: string;
  key_hash: string;
  mask: string;
  scopes: string[];
  scoped_projects: Maybe<number[]>;
  scoped_organizations: Maybe<string[]>;
  created_at: When;
  last_used_at: MaybeWhen;
  revoked_at: MaybeWhen;
}

export interface ActivityLogTable {
  id: string;
  organization_id: Maybe<string>;
  team_id: Maybe<number>;
  user_id: Maybe<number>;
  scope: string;
  item_id: string;
  activity: string;
  detail: Json<JsonObject>;
  created_at: When;
}

export interface IntegrationsTable {
  id: Generated<number>;
  team_id: number;
  kind: string;
  identity: string;
  config: Json<JsonObject>;
  sealed: string;
  errors: Generated<string>;
  created_by: Maybe<number>;
  created_at: When;
}

export interface BatchExportsTable {
  id: string;
  team_id: number;
  name: string;
  model: string;
  destination_type: string;
  destination_config: Json<JsonObject>;
  destination_sealed: Maybe<string>;
  integration_id: Maybe<number>;
  interval: string;
  interval_offset: Maybe<number>;
  timezone: Generated<string>;
  paused: Generated<boolean>;
  /** It paused itself, and nobody has unpaused it since. */
  paused_by_failures: Generated<boolean>;
  filters: MaybeJson<JsonObject[]>;
  hogql_query: Maybe<string>;
  hogql_modifiers: MaybeJson<JsonObject>;
  primary_key: Maybe<string[]>;
  version_key: Maybe<string[]>;
  incremental_mode: Generated<string>;
  start_at: MaybeWhen;
  end_at: MaybeWhen;
  last_paused_at: MaybeWhen;
  next_interval_start: When;
  next_due_at: MaybeWhen;
  created_by: Maybe<number>;
  last_modified_by: Maybe<number>;
  created_at: When;
  last_updated_at: When;
  deleted_at: MaybeWhen;
}

export interface BackfillsTable {
  id: string;
  team_id: number;
  batch_export_id: string;
  workflow_id: string;
  status: string;
  start_at: MaybeWhen;
  end_at: MaybeWhen;
  adjusted_start_at: MaybeWhen;
  total_records_count: Maybe<number>;
  retry_of: Maybe<string>;
  /** 1 = the first repetition of that run, 2 = the second …; null when it repeats none. */
  repetition: Maybe<number>;
  by_arrival: Generated<boolean>;
  /** A catch-up that the automatic pause cancelled, and that no later one has taken over. */
  unfinished: Generated<boolean>;
  arrival_before: When;
  next_interval_start: MaybeWhen;
  created_at: When;
  finished_at: MaybeWhen;
  last_updated_at: When;
}

/** A rectangle of arrival time × event time; milliseconds since the epoch, half open, null = unbounded. */
export interface Region {
  readonly arrivalFrom: number | null;
  readonly arrivalTo: number | null;
  readonly eventFrom: number | null;
  readonly eventTo: number | null;
}

export interface RunsTable {
  id: string;
  team_id: number;
  batch_export_id: string;
  backfill_id: Maybe<string>;
  status: string;
  records_completed: Maybe<number>;
  records_failed: Maybe<number>;
  records_total_count: Maybe<number>;
  bytes_exported: Maybe<number>;
  latest_error: Maybe<string>;
  data_interval_start: MaybeWhen;
  data_interval_end: When;
  attempt: Generated<number>;
  /** Failures so far, each followed by another attempt. */
  failures: Generated<number>;
  /** Those of them that were bugs. */
  bugs: Generated<number>;
  /** Claims in a row, the newest included, of which nothing was heard. */
  silent_claims: Generated<number>;
  next_attempt_at: MaybeWhen;
  worker: Maybe<string>;
  /** When its worker was at work on it last, by the database's clock; null = it has let go of it. */
  seen_at: MaybeWhen;
  snapshot: Json<JsonObject>;
  region: MaybeJson<Region>;
  excludes: MaybeJson<Region[]>;
  /** Appended to the names of its files, '' = nothing; null = not chosen yet. */
  key_suffix: Maybe<string>;
  files: MaybeJson<JsonObject[]>;
  /** Which place its files lie in (FileTarget.place); null = nowhere, or of an earlier version. */
  place: Maybe<string>;
  /** It has begun to remove what it replaces. */
  replacing: Generated<boolean>;
  proof: MaybeJson<JsonObject>;
  created_at: When;
  finished_at: MaybeWhen;
  last_updated_at: When;
  /** Whether its outcome is in the warehouse's app_metrics2. */
  counted: Generated<boolean>;
}

export interface RunSlicesTable {
  run_id: string;
  slice: string;
  attempt: number;
  rows: number;
  bytes: number;
  file: Json<JsonObject>;
  finished_at: When;
  withdrawn: Generated<boolean>;
}

export interface LogEntriesTable {
  id: Generated<number>;
  team_id: number;
  log_source: string;
  log_source_id: string;
  instance_id: string;
  timestamp: When;
  level: string;
  message: string;
}

export interface PluginConfigsTable {
  id: Generated<number>;
  team_id: number;
  plugin_id: number;
  enabled: Generated<boolean>;
  order: Generated<number>;
  name: Maybe<string>;
  description: Maybe<string>;
  config: Json<JsonObject>;
  sealed: Maybe<string>;
  created_by: Maybe<number>;
  created_at: When;
  updated_at: When;
  /** Set whenever it is turned on; live delivery begins there. */
  enabled_at: MaybeWhen;
  deleted_at: MaybeWhen;
}

export interface HistoricalExportsTable {
  id: string;
  organization_id: Maybe<string>;
  team_id: number;
  plugin_config_id: number;
  payload: Json<JsonObject>;
  event_from: When;
  event_to: When;
  arrival_before: When;
  parallelism: number;
  status: string;
  total_events: Maybe<number>;
  delivered_events: Generated<number>;
  failed_events: Generated<number>;
  progress: Generated<number>;
  failure_reason: Maybe<string>;
  created_by: Maybe<number>;
  created_at: When;
  finished_at: MaybeWhen;
}

export interface AppDeliveriesTable {
  id: string;
  plugin_config_id: number;
  historical_export_id: Maybe<string>;
  since: When;
  cursor_first: number;
  cursor_second: number;
  cursor_uuid: string;
  epoch: Generated<number>;
  owner: Maybe<string>;
  lease_until: MaybeWhen;
  failures: Generated<number>;
  failing_since: MaybeWhen;
  next_attempt_at: MaybeWhen;
  latest_error: Maybe<string>;
}

export interface AppBatchesTable {
  id: string;
  delivery_id: string;
  after_first: number;
  after_second: number;
  after_uuid: string;
  until_first: number;
  until_second: number;
  until_uuid: string;
  events: number;
  attempts: Generated<number>;
  ended_at: MaybeWhen;
}

export interface AppMetricOutboxTable {
  id: Generated<number>;
  team_id: number;
  plugin_config_id: number;
  category: string;
  job_id: Generated<string>;
  successes: Generated<number>;
  successes_on_retry: Generated<number>;
  failures: Generated<number>;
  error_uuid: Maybe<string>;
  error_type: Generated<string>;
  error_details: Generated<string>;
  timestamp: When;
  flush: Maybe<number>;
}

export interface AppMetricWriterTable {
  only: Generated<boolean>;
  flush: Generated<number>;
  owner: Maybe<string>;
  lease_until: MaybeWhen;
}

export interface InstanceTable {
  key: string;
  value: Json<unknown>;
}

export interface Tables {
  instance: InstanceTable;
  organizations: OrganizationsTable;
  projects: ProjectsTable;
  users: UsersTable;
  sessions: SessionsTable;
  organization_members: OrganizationMembersTable;
  personal_api_keys: PersonalApiKeysTable;
  activity_log: ActivityLogTable;
  integrations: IntegrationsTable;
  batch_exports: BatchExportsTable;
  batch_export_backfills: BackfillsTable;
  batch_export_runs: RunsTable;
  run_slices: RunSlicesTable;
  log_entries: LogEntriesTable;
  plugin_configs: PluginConfigsTable;
  historical_exports: HistoricalExportsTable;
  app_deliveries: AppDeliveriesTable;
  app_batches: AppBatchesTable;
  app_metric_outbox: AppMetricOutboxTable;
  app_metric_writer: AppMetricWriterTable;
}

export type BatchExportRow = Selectable<BatchExportsTable>;
export type BackfillRow = Selectable<BackfillsTable>;
export type RunRow = Selectable<RunsTable>;
export type PluginConfigRow = Selectable<PluginConfigsTable>;

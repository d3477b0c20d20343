-- contract.md §12. Newer ClickHouse refuses plain columns outside the key of an aggregating table, hence
-- `any` and `max` where PostHog's own tables have none; they read and insert the same.

CREATE TABLE IF NOT EXISTS app_metrics (
  team_id Int64,
  timestamp DateTime64(6, 'UTC'),
  plugin_config_id Int64,
  category LowCardinality(String),
  job_id String,
  successes SimpleAggregateFunction(sum, Int64),
  successes_on_retry SimpleAggregateFunction(sum, Int64),
  failures SimpleAggregateFunction(sum, Int64),
  error_uuid UUID,
  error_type String,
  error_details SimpleAggregateFunction(any, String) CODEC(ZSTD(3)),
  _timestamp SimpleAggregateFunction(max, DateTime) DEFAULT now(),
  _offset SimpleAggregateFunction(max, UInt64),
  _partition SimpleAggregateFunction(max, UInt64)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(timestamp)
ORDER BY (team_id, plugin_config_id, job_id, category, toStartOfHour(timestamp), error_type, error_uuid);

CREATE TABLE IF NOT EXISTS app_metrics2 (
  team_id Int64,
  timestamp DateTime64(6, 'UTC'),
  app_source LowCardinality(String),
  app_source_id String,
  instance_id String,
  metric_kind LowCardinality(String),
  metric_name LowCardinality(String),
  count SimpleAggregateFunction(sum, Int64),
  _timestamp SimpleAggregateFunction(max, DateTime) DEFAULT now(),
  _offset SimpleAggregateFunction(max, UInt64),
  _partition SimpleAggregateFunction(max, UInt64)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(timestamp)
ORDER BY (team_id, app_source, app_source_id, instance_id, toStartOfHour(timestamp), metric_kind, metric_name);

CREATE TABLE IF NOT EXISTS log_entries (
  team_id Int64,
  log_source LowCardinality(String),
  log_source_id String,
  instance_id String,
  timestamp DateTime64(6, 'UTC'),
  level LowCardinality(String),
  message String CODEC(ZSTD(3)),
  _timestamp DateTime DEFAULT now(),
  _offset UInt64
)
ENGINE = ReplacingMergeTree(_timestamp)
PARTITION BY toYYYYMM(timestamp)
ORDER BY (team_id, log_source, log_source_id, instance_id, timestamp);

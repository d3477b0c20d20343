-- Tables with the shape of PostHog's (engine.md §1.1), each one table instead of a distributed pair.
-- Created only when absent: on a ClickHouse that PostHog owns, all of these exist and stay as they are.

CREATE TABLE IF NOT EXISTS events (
  uuid UUID,
  event String,
  properties String CODEC(ZSTD(3)),
  timestamp DateTime64(6, 'UTC'),
  team_id Int64,
  distinct_id String,
  elements_chain String,
  created_at DateTime64(6, 'UTC'),
  person_id UUID,
  person_created_at DateTime64(3),
  person_properties String CODEC(ZSTD(3)),
  group0_properties String CODEC(ZSTD(3)),
  group1_properties String CODEC(ZSTD(3)),
  group2_properties String CODEC(ZSTD(3)),
  group3_properties String CODEC(ZSTD(3)),
  group4_properties String CODEC(ZSTD(3)),
  group0_created_at DateTime64(3),
  group1_created_at DateTime64(3),
  group2_created_at DateTime64(3),
  group3_created_at DateTime64(3),
  group4_created_at DateTime64(3),
  person_mode Enum8('full' = 0, 'propertyless' = 1, 'force_upgrade' = 2),
  `$group_0` String MATERIALIZED JSONExtractString(properties, '$group_0'),
  `$group_1` String MATERIALIZED JSONExtractString(properties, '$group_1'),
  `$group_2` String MATERIALIZED JSONExtractString(properties, '$group_2'),
  `$group_3` String MATERIALIZED JSONExtractString(properties, '$group_3'),
  `$group_4` String MATERIALIZED JSONExtractString(properties, '$group_4'),
  `$window_id` String MATERIALIZED JSONExtractString(properties, '$window_id'),
  `$session_id` String MATERIALIZED JSONExtractString(properties, '$session_id'),
  _timestamp DateTime DEFAULT now(),
  _offset UInt64,
  inserted_at Nullable(DateTime64(6, 'UTC')) DEFAULT now64(),
  INDEX arrival COALESCE(inserted_at, _timestamp) TYPE minmax GRANULARITY 1,
  -- Ours: engine 26.7 does not use an index on COALESCE(…) at all (src/export/models/events.ts).
  INDEX inserted inserted_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(_timestamp)
PARTITION BY toYYYYMM(timestamp)
ORDER BY (team_id, toDate(timestamp), event, cityHash64(distinct_id), cityHash64(uuid))
SAMPLE BY cityHash64(distinct_id);

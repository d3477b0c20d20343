-- engine.md §1.1

CREATE TABLE IF NOT EXISTS person (
  id UUID,
  created_at DateTime64(3),
  team_id Int64,
  properties String CODEC(ZSTD(3)),
  is_identified Int8,
  is_deleted Int8,
  version UInt64,
  _timestamp DateTime DEFAULT now(),
  _offset UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (team_id, id);

CREATE TABLE IF NOT EXISTS person_distinct_id2 (
  team_id Int64,
  distinct_id String,
  person_id UUID,
  is_deleted Int8,
  version Int64,
  _timestamp DateTime DEFAULT now(),
  _offset UInt64,
  _partition UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (team_id, distinct_id)
SETTINGS index_granularity = 512;

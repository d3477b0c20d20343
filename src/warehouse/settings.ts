/** Sent with every request: one time zone everywhere, and failures never disguised as data. */
const ALWAYS = {
  session_timezone: 'UTC',
  http_write_exception_in_output_format: 0,
  output_format_json_quote_64bit_integers: 1,
  cancel_http_readonly_queries_on_client_close: 1,
} as const;

/** Less than the shortest settle delay, 30 s, with room for the insert itself. */
const LONGEST_REPLICA_DELAY_SECONDS = 15;

/**
 * Sent to servers besides: an answer is whole or an error, and an insert has arrived when it is acknowledged. By
 * default a distributed table is read from replicas that are up to five minutes behind, or older when there are no
 * others, and keeps inserts in a queue on one node's disk; a profile may let a query leave out shards, or end early
 * with what it has. All names are known to servers older than those that know the settings above.
 */
const WHOLE = {
  skip_unavailable_shards: 0,
  max_replica_delay_for_distributed_queries: LONGEST_REPLICA_DELAY_SECONDS,
  fallback_to_stale_replicas_for_distributed_queries: 0,
  // Its older name, which newer servers take, too.
  insert_distributed_sync: 1,
  use_query_cache: 0,
  timeout_overflow_mode: 'throw',
  read_overflow_mode: 'throw',
  read_overflow_mode_leaf: 'throw',
  result_overflow_mode: 'throw',
  group_by_overflow_mode: 'throw',
  sort_overflow_mode: 'throw',
  distinct_overflow_mode: 'throw',
  join_overflow_mode: 'throw',
  set_overflow_mode: 'throw',
  transfer_overflow_mode: 'throw',
} as const;

/** The settings of every request to the embedded engine (`localFiles`), or to a server. */
export const settingsOf = (localFiles: boolean): Readonly<Record<string, string | number>> =>
  localFiles ? ALWAYS : { ...ALWAYS, ...WHOLE };

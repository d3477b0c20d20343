import type { Query } from '../warehouse/warehouse.ts';

export interface BulkOptions {
  readonly rows: number;
  readonly seed: number;
  readonly teamId: number;
  /** Half-open ranges over which the rows are spread evenly by event time and by arrival. */
  readonly timestamps: { readonly from: Date; readonly to: Date };
  readonly arrivals: { readonly from: Date; readonly to: Date };
  /** Number of the first row, so that several calls make different rows. */
  readonly offset?: number;
}

/**
 * Fills `events` inside ClickHouse, for benchmarks and tests that need millions: realistic rows (700
 * bytes of properties with nested objects, arrays, Unicode and URLs; 40 event names; few users with
 * most events), the same for the same options.
 */
export function bulkEvents(options: BulkOptions): Query {
  const { rows, offset = 0, seed, teamId, timestamps, arrivals } = options;
  return {
    sql: INSERT,
    params: {
      rows,
      offset,
      seed,
      team: teamId,
      from: timestamps.from.getTime() * 1000,
      length: (timestamps.to.getTime() - timestamps.from.getTime()) * 1000,
      arrived: arrivals.from.getTime() * 1000,
      arriving: (arrivals.to.getTime() - arrivals.from.getTime()) * 1000,
    },
    settings: SETTINGS,
  };
}

/**
 * The columns made from `properties` are given ready: parsing the JSON nine times takes 2.6 of 10.5
 * CPU seconds per million rows. The others: 677 MB a million, two threads, 4 s.
 */
const SETTINGS = {
  max_partitions_per_insert_block: 0,
  max_insert_threads: 2,
  insert_allow_materialized_columns: 1,
  optimize_on_insert: 0,
};

/**
 * `user` is a cube of a uniform draw, so the first hundredth of the users has a fifth of the events.
 * The person id only has to be stable per user here; capture makes it otherwise.
 */
const INSERT = `
INSERT INTO events (uuid, event, properties, timestamp, team_id, distinct_id, elements_chain, created_at,
                    person_id, person_properties, person_mode, _timestamp, inserted_at,
                    "$session_id", "$window_id", "$group_0", "$group_1", "$group_2", "$group_3", "$group_4")
WITH
  {rows:UInt64} AS total,
  cityHash64(number, {seed:UInt64}) AS h,
  intHash64(h) AS g,
  intHash64(g) AS k,
  toUInt32(50000 * pow((h % 1000003) / 1000003, 3)) AS user,
  if(g % 20 < 7, '$pageview', if(g % 20 < 12, '$autocapture', concat(
    ['product ', 'cart ', 'order ', 'page '][1 + g % 4],
    ['viewed', 'searched', 'added', 'removed', 'shared', 'rated', 'opened', 'closed', 'tracked', 'failed'][1 + k % 10]
  ))) AS name,
  hex(intHash64(user + number % 7)) AS session,
  fromUnixTimestamp64Micro(toInt64({from:Int64} + g % {length:UInt64}), 'UTC') AS happened,
  fromUnixTimestamp64Micro(
    toInt64({arrived:Int64} + toUInt64(({arriving:UInt64} / total) * (number - {offset:UInt64}))), 'UTC') AS arrived
SELECT
  reinterpret(sipHash128(number, {seed:UInt64}), 'UUID'),
  name,
  concat(
    '{"$session_id":"', session, '","$browser":"', ['Chrome', 'Safari', 'Firefox', 'Edge'][1 + h % 4],
    '","$os":"', ['Mac OS X', 'Windows', 'iOS', 'Android'][1 + k % 4],
    '","$current_url":"https://shop.example/', ['products', 'cart', '%C3%BCber-uns', 'search'][1 + g % 4], '/', toString(k % 5000),
    '?utm_source=newsletter&utm_campaign=sp%C3%A9cial&page=', toString(h % 40),
    '","$referrer":"https://news.example.org/k\\u00fcche?ref=', hex(k), '","$ip":"203.0.113.', toString(user % 256),
    '","$screen_width":', toString([390, 1440, 1920, 2560][1 + h % 4]), ',"$lib":"web","$lib_version":"1.449.2","price":', toString((g % 100000) / 100),
    ',"big":', toString(g), ',"title":"', ['Crème brûlée torch', '抹茶 whisk', 'Кофейная мельница', 'Pizza stone 🍕'][1 + k % 4],
    '","note":"said \\\\"yes\\\\"\\\\nand left ', hex(g), '","coupon":null,"first":', if(h % 2 = 0, 'true', 'false'),
    ',"cart":{"id":"', hex(h), '","currency":"CHF","items":[{"sku":', toString(k % 9999), ',"tags":["kitchen","shelf-', toString(h % 9),
    '"],"size":{"w":', toString(g % 90), ',"h":', toString(k % 90), '}},{"sku":', toString(g % 9999), ',"tags":[],"size":null}]}',
    ',"$set":{"plan":"', ['free', 'plus'][1 + h % 2], '","city":"', ['Zürich', 'São Paulo', '東京', 'Kraków'][1 + user % 4], '"}}'
  ),
  happened,
  {team:Int64},
  concat('user-', toString(user)),
  if(name = '$autocapture', 'button.btn.btn-primary:nth-child="1"nth-of-type="1"text="Add to cart";form:attr_id="cart"nth-child="2"nth-of-type="1"', ''),
  arrived,
  reinterpret(sipHash128(user), 'UUID'),
  concat('{"email":"user-', toString(user), '@shop.example","plan":"', ['free', 'plus'][1 + user % 2], '"}'),
  'full',
  toDateTime(arrived),
  arrived,
  session, '', '', '', '', '', ''
FROM numbers_mt({offset:UInt64}, {rows:UInt64})`;

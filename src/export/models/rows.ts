import type { SliceSet } from '../slices.ts';
import type { Source } from './events.ts';
import type { Fragment } from './fragment.ts';

/**
 * What the plan found out about rows that are in the table more than once (ReplacingMergeTree drops them some
 * day, and readers must not wait for it). `none`: nothing to do, the normal case, and rows stream untouched.
 * `some`: only the repeated uuids, a small set, are sorted. `many`: everything is sorted, most of it on disk.
 */
export type Duplicates = 'none' | 'some' | 'many';

/**
 * Sorting and grouping spill to disk from here on, bytes. No limit: merging what was spilled takes more, and so does
 * LIMIT BY, which remembers what it has seen. With `many`, 4 M tiny rows fit into 0.9 GB, not into 0.6; 8 M need 1.2.
 */
const SPILL_BYTES = 300_000_000;

export const SPILL_SETTINGS = {
  max_bytes_before_external_sort: SPILL_BYTES,
  max_bytes_before_external_group_by: SPILL_BYTES,
} as const;

/** Rows of `source` that fall into one of the slices. */
export function sliceWhere(source: Source, { parts, of }: SliceSet): Fragment {
  if (parts.length === of) return source.where;
  return {
    sql: `${source.where.sql} AND cityHash64(uuid) % {slices:UInt64} IN {parts:Array(UInt64)}`,
    params: { ...source.where.params, slices: of, parts },
  };
}

/** Uuids that more than one row of the slices has. */
export function repeatedUuids(source: Source, slices: SliceSet): Fragment {
  const where = sliceWhere(source, slices);
  return {
    sql: `SELECT uuid FROM ${source.table} WHERE ${where.sql} GROUP BY uuid HAVING count() > 1`,
    params: where.params,
  };
}

/** A query over the slices' rows, each once, with the model's columns undecorated. Order is unspecified. */
export function distinctRows(source: Source, slices: SliceSet, duplicates: Duplicates): Fragment {
  const where = sliceWhere(source, slices);
  const rows = (condition: string) =>
    `SELECT ${source.columns} FROM ${source.table} WHERE ${where.sql}${condition}`;
  const first = (condition: string) =>
    `SELECT * FROM (${rows(condition)} ORDER BY ${source.identity}, ${source.preference} LIMIT 1 BY ${source.identity})`;
  if (duplicates === 'none') return { sql: rows(''), params: where.params };
  if (duplicates === 'many') return { sql: first(''), params: where.params };
  const repeated = repeatedUuids(source, slices).sql;
  return {
    sql: `${rows(` AND uuid GLOBAL NOT IN (${repeated})`)} UNION ALL ${first(` AND uuid GLOBAL IN (${repeated})`)}`,
    params: where.params,
  };
}

/** As `distinctRows`, but only what identifies a row; duplicates are grouped away, which can spill to disk. */
export function distinctUuids(source: Source, duplicates: Duplicates, slices: SliceSet): Fragment {
  const where = sliceWhere(source, slices);
  const grouped = duplicates === 'none' ? '' : ` GROUP BY ${source.identity}`;
  return { sql: `SELECT uuid FROM ${source.table} WHERE ${where.sql}${grouped}`, params: where.params };
}

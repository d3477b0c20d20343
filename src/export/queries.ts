import { quote } from '../warehouse/quoting.ts';
import type { Query } from '../warehouse/warehouse.ts';
import type { Format } from './formats/format.ts';
import { EVENT_COLUMNS } from './models/events.ts';
import { type Duplicates, distinctRows, SPILL_SETTINGS } from './models/rows.ts';
import type { RunContext } from './ports.ts';
import type { SliceSet } from './slices.ts';

/** A thousand excluded rectangles are 300 kB of SQL; the default limit is 256 kB. */
const QUERY_BYTES = 4 * 1024 * 1024;

/** Settings of every query of a run: who asked, in the warehouse's own log, and sorting that cannot fill memory. */
export function querySettings(context: Pick<RunContext, 'spec'>): Readonly<Record<string, string | number>> {
  const { exportId, runId, teamId } = context.spec;
  const comment = { product: 'batch_export', team_id: teamId, batch_export_id: exportId, run_id: runId };
  return { ...SPILL_SETTINGS, max_query_size: QUERY_BYTES, log_comment: JSON.stringify(comment) };
}

/** The query whose answer, in the format's ClickHouse name, is the file of the slices. */
export function encodeQuery(context: RunContext, slices: SliceSet, duplicates: Duplicates): Query {
  const rows = distinctRows(context.source, slices, duplicates);
  return {
    sql: `SELECT ${context.format.selectList(EVENT_COLUMNS)} FROM (${rows.sql})`,
    params: rows.params,
    settings: { ...querySettings(context), ...context.format.settings },
    queryId: `${context.spec.runId}-${context.attempt}-${slices.parts.join('.')}-of-${slices.of}`,
    signal: context.signal,
  };
}

/** In a path, what the engine replaces by the number of each slice. */
export const SLICE_NUMBER = '{_partition_id}';

/**
 * As `encodeQuery`, but the engine writes the file at `path` itself; with `slices`, as many files as there are, all in
 * one scan, at `path` with their numbers for `SLICE_NUMBER`.
 */
export function writeQuery(encode: Query, path: string, format: Format, slices?: SliceSet): Query {
  const place = [path, format.engineFormat, 'auto', format.codec ?? 'none'].map(quote).join(', ');
  const partition = slices ? `PARTITION BY cityHash64(${format.rowUuid}) % ${slices.of} ` : '';
  return {
    ...encode,
    sql: `INSERT INTO FUNCTION file(${place}) ${partition}${encode.sql}`,
    settings: { ...encode.settings, engine_file_truncate_on_insert: 1 },
  };
}

/** ClickHouse takes these in a path for patterns; such files go through Node. */
export function isPlainPath(path: string): boolean {
  return !/[*?{}]/.test(path);
}

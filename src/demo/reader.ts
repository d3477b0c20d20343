import { DuckDBInstance } from '@duckdb/node-api';

export interface ReadBack {
  readonly rows: number;
  readonly distinctUuids: number;
  readonly files: number;
  /** The first rows as text cells, header first. */
  readonly sample: readonly (readonly string[])[];
}

/** What an independent reader sees in the Parquet files that `glob` matches. */
export async function readBack(glob: string, sampleRows: number): Promise<ReadBack> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    const source = `read_parquet('${glob.replaceAll("'", "''")}', filename = true)`;
    const counted = await connection.runAndReadAll(
      `select count(*)::int, count(distinct uuid)::int, count(distinct filename)::int from ${source}`,
    );
    const [rows = 0, distinctUuids = 0, files = 0] = (counted.getRows()[0] ?? []) as number[];
    const sampled = await connection.runAndReadAll(
      `select strftime(timestamp, '%H:%M:%S') as time, event, distinct_id,
              properties->>'$.$current_url' as url, length(properties) as properties
         from ${source} order by timestamp limit ${sampleRows}`,
    );
    const cells = sampled.getRows().map((row) => row.map((cell) => (cell === null ? '' : String(cell))));
    return { rows, distinctUuids, files, sample: [sampled.columnNames(), ...cells] };
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** Cells in columns, cut to `width` characters each. */
export function table(rows: readonly (readonly string[])[], width: number): string {
  const cut = rows.map((row) =>
    row.map((cell) => (cell.length > width ? `${cell.slice(0, width - 1)}…` : cell)),
  );
  const widths = (cut[0] ?? []).map((_, i) => Math.max(...cut.map((row) => row[i]?.length ?? 0)));
  return cut
    .map((row) => `  ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}`.trimEnd())
    .join('\n');
}

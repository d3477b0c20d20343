import { stat } from 'node:fs/promises';
import type { DuckDBConnection } from '@duckdb/node-api';
import type { FileRow, SourceRow } from './row.ts';

/**
 * The rows of a Parquet file, whatever its compression, in its order. DuckDB decodes it in slices of
 * 2048 rows: 200,000 rows take 2.5 s and no row group needs to fit into memory, while hyparquet decodes
 * a row group again for every slice (14 s).
 */
export async function* parquetRows(path: string): AsyncGenerator<FileRow> {
  // A large native library that nothing else of an import needs.
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const { size } = await stat(path);
  const instance = await DuckDBInstance.create(':memory:', { memory_limit: '1GB', threads: '2' });
  const connection = await instance.connect();
  try {
    const columns = await readColumns(connection, path);
    const total = await countRows(connection, path);
    const list = columns.map(expression).join(', ');
    const result = await connection.stream(`SELECT ${list} FROM read_parquet($1)`, [path]);
    let number = 0;
    for await (const rows of result.yieldRowObjects()) {
      const bytesRead = Math.round((size * (number + rows.length)) / total);
      for (const row of rows) yield { number: ++number, row: readable(row), bytesRead };
    }
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

interface Column {
  readonly name: string;
  readonly type: string;
}

async function readColumns(connection: DuckDBConnection, path: string): Promise<Column[]> {
  const reader = await connection.runAndReadAll('DESCRIBE SELECT * FROM read_parquet($1)', [path]);
  return reader
    .getRowObjects()
    .map((row) => ({ name: String(row.column_name), type: String(row.column_type) }));
}

async function countRows(connection: DuckDBConnection, path: string): Promise<number> {
  const reader = await connection.runAndReadAll('SELECT count(*) AS rows FROM read_parquet($1)', [path]);
  return Number(reader.getRowObjects()[0]?.rows ?? 0);
}

/** Everything as text, times as whole microseconds: nothing is rounded on the way. */
function expression({ name, type }: Column): string {
  const column = `"${name.replaceAll('"', '""')}"`;
  // Not as TIMESTAMP, which would be the time on the clocks of where this machine stands.
  if (type === 'TIMESTAMP WITH TIME ZONE') return `epoch_us(${column}) AS ${column}`;
  if (/^(TIMESTAMP|DATE)/.test(type)) return `epoch_us(${column}::TIMESTAMP) AS ${column}`;
  if (type === 'BLOB') return `decode(${column}) AS ${column}`;
  if (/^(STRUCT|MAP)|\[\]$/.test(type)) return `to_json(${column})::VARCHAR AS ${column}`;
  return `${column}::VARCHAR AS ${column}`;
}

function readable(row: SourceRow): SourceRow {
  return Object.fromEntries(
    Object.entries(row).map(([key, value]) => [key, typeof value === 'bigint' ? isoTime(value) : value]),
  );
}

/** As ISO text, the one form that reads the same whatever its size. */
function isoTime(micros: bigint): string {
  const fraction = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = Number((micros - fraction) / 1_000_000n);
  return new Date(seconds * 1000).toISOString().replace(/\.\d+Z$/, `.${String(fraction).padStart(6, '0')}Z`);
}

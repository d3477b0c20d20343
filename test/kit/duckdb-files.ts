import { DuckDBInstance } from '@duckdb/node-api';

/** All uuids, sorted, that an independent reader finds in the files of a folder and below. */
export async function readUuids(folder: string, format: string): Promise<string[]> {
  const rows = await readRows<{ uuid: string }>(folder, format, 'uuid');
  return rows.map((row) => row.uuid).toSorted();
}

/** Selected columns of every row that DuckDB finds in the export files of a folder and below. */
export async function readRows<Row>(folder: string, format: string, columns: string): Promise<Row[]> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    const source =
      format === 'Parquet'
        ? `read_parquet('${folder}/**/*.parquet*')`
        : `read_json('${folder}/**/*.jsonl*', format = 'newline_delimited', maximum_object_size = 100000000)`;
    const result = await connection.runAndReadAll(`select ${columns} from ${source}`);
    return result.getRowObjectsJson() as Row[];
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import type { Claim, Line } from './claim.ts';
import { FILE_FORMATS, type FileFormat } from './formats.ts';
import { inTurn, speedLine } from './measure.ts';
import { exportAll, insertInto, recordedInsert } from './ours.ts';
import type { Stage } from './stage.ts';

/**
 * A whole run, which reads compressed columns from disk and proves itself, against DuckDB writing the same rows from
 * its memory: loaded before, in any order, at the same compression level and row group size, JSON columns as JSON.
 */
export const duckdb: Claim = {
  name: 'duckdb',
  title: "Filesystem: rows/s ÷ DuckDB's COPY … TO of the same rows from its memory",
  run: async ({ turns }, stage) => {
    const place = await stage();
    const instance = await DuckDBInstance.create(':memory:', { threads: '2' });
    const connection = await instance.connect();
    try {
      await load(place, connection);
      const lines: Line[] = [];
      for (const format of FILE_FORMATS) lines.push(await against(place, connection, format, turns));
      return lines;
    } finally {
      connection.closeSync();
      instance.closeSync();
    }
  },
};

/** The files' own columns, by way of an uncompressed Parquet file. */
async function load(stage: Stage, connection: DuckDBConnection): Promise<void> {
  const config = { prefix: 'bench', file_format: 'Parquet', compression: null };
  const insert = await recordedInsert(stage, { type: 'Filesystem', config, integration: {} });
  const dump = join(stage.folder, 'dump.parquet');
  await stage.warehouse.command(
    insertInto(insert, (format, codec) => `file('${dump}', '${format}', 'auto', '${codec}')`),
  );
  await connection.run('SET preserve_insertion_order = false');
  await connection.run(`CREATE TABLE texts AS SELECT * FROM read_parquet('${dump}')`);
  await connection.run(`CREATE VIEW documents AS
    SELECT * REPLACE (properties::JSON AS properties, person_properties::JSON AS person_properties) FROM texts`);
  const counted = await connection.runAndReadAll('SELECT count(*)::INTEGER FROM texts');
  const rows = counted.getRows()[0]?.[0];
  if (rows !== stage.rows) throw new Error(`DuckDB has ${rows} rows instead of ${stage.rows}`);
}

async function against(
  stage: Stage,
  connection: DuckDBConnection,
  [format, compression]: FileFormat,
  turns: number,
): Promise<Line> {
  const config = { prefix: 'bench', file_format: format, compression };
  const copy = copyStatement(join(stage.folder, 'duckdb'), format, compression);
  const pair = await inTurn(
    turns,
    async () => void (await exportAll(stage, { type: 'Filesystem', config, integration: {} })),
    async () => void (await connection.run(copy)),
  );
  return speedLine(`${format} ${compression ?? 'none'}`, pair, stage.rows, 1);
}

function copyStatement(path: string, format: FileFormat[0], compression: FileFormat[1]): string {
  if (format === 'JSONLines') {
    return `COPY documents TO '${path}' (FORMAT json, COMPRESSION ${compression ?? 'none'})`;
  }
  const level = compression === 'zstd' ? ', COMPRESSION_LEVEL 1' : '';
  return `COPY texts TO '${path}' (FORMAT parquet, COMPRESSION ${compression}, ROW_GROUP_SIZE 250000${level})`;
}

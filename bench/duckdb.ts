import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import type { Claim, Line } from './claim.ts';
import { FILE_FORMATS, type FileFormat } from './formats.ts';
import { inTurn, speedLine } from './measure.ts';
import { exportAll, insertInto, recordedInsert, removeOutputs } from './ours.ts';
import type { Stage } from './stage.ts';

/**
 * A whole run, which reads compressed columns from disk and proves itself, against DuckDB copying the same rows, in any
 * order, at the same compression level and row group size, JSON columns as JSON. Once from a Parquet dump, which is how a
 * user has them outside of a warehouse, and once from a table in its memory, which nobody's events are: that line shows what the
 * encoders alone are worth.
 */
export const duckdb: Claim = {
  name: 'duckdb',
  title:
    "Filesystem: rows/s ÷ DuckDB's COPY … TO of the same rows, from a Parquet dump (zstd) and from its memory",
  run: async ({ turns }, stage) => {
    const place = await stage();
    const instance = await DuckDBInstance.create(':memory:', { threads: '2' });
    const connection = await instance.connect();
    try {
      const lines: Line[] = [];
      for (const from of ['dump', 'memory'] as const) {
        await load(place, connection, from);
        for (const format of FILE_FORMATS) lines.push(await against(place, connection, from, format, turns));
      }
      return lines;
    } finally {
      connection.closeSync();
      instance.closeSync();
    }
  },
};

type From = 'dump' | 'memory';

/** The files' own columns as the view `texts`, and with JSON columns as `documents`. */
async function load(stage: Stage, connection: DuckDBConnection, from: From): Promise<void> {
  const config = { prefix: 'bench', file_format: 'Parquet', compression: 'zstd' };
  const insert = await recordedInsert(stage, { type: 'Filesystem', config, integration: {} });
  const dump = join(stage.folder, 'dump.parquet');
  await stage.warehouse.command(
    insertInto(insert, (format, codec) => `file('${dump}', '${format}', 'auto', '${codec}')`),
  );
  await connection.run('SET preserve_insertion_order = false');
  if (from === 'memory') await connection.run(`CREATE TABLE loaded AS SELECT * FROM read_parquet('${dump}')`);
  const source = from === 'memory' ? 'loaded' : `read_parquet('${dump}')`;
  await connection.run(`CREATE OR REPLACE VIEW texts AS SELECT * FROM ${source}`);
  await connection.run(`CREATE OR REPLACE VIEW documents AS
    SELECT * REPLACE (properties::JSON AS properties, person_properties::JSON AS person_properties) FROM texts`);
  const counted = await connection.runAndReadAll('SELECT count(*)::INTEGER FROM texts');
  const rows = counted.getRows()[0]?.[0];
  if (rows !== stage.rows) throw new Error(`DuckDB has ${rows} rows instead of ${stage.rows}`);
}

async function against(
  stage: Stage,
  connection: DuckDBConnection,
  from: From,
  [format, compression]: FileFormat,
  turns: number,
): Promise<Line> {
  const config = { prefix: 'bench', file_format: format, compression };
  const path = join(stage.folder, 'duckdb');
  const copy = copyStatement(path, format, compression);
  const pair = await inTurn(
    turns,
    async () => void (await exportAll(stage, { type: 'Filesystem', config, integration: {} })),
    async () => void (await connection.run(copy)),
    () => removeOutputs(stage, path),
  );
  return speedLine(`${format} ${compression ?? 'none'}, DuckDB from ${from}`, pair, stage.rows, 1);
}

function copyStatement(path: string, format: FileFormat[0], compression: FileFormat[1]): string {
  if (format === 'JSONLines') {
    return `COPY documents TO '${path}' (FORMAT json, COMPRESSION ${compression ?? 'none'})`;
  }
  const level = compression === 'zstd' ? ', COMPRESSION_LEVEL 1' : '';
  return `COPY texts TO '${path}' (FORMAT parquet, COMPRESSION ${compression}, ROW_GROUP_SIZE 250000${level})`;
}

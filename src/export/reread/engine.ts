import { quote } from '../../warehouse/quoting.ts';
import type { Query, Warehouse } from '../../warehouse/warehouse.ts';
import { NO_ROWS, type TallyRow, tallyColumns, tallyOf } from '../fingerprint.ts';
import type { Format } from '../formats/format.ts';
import { CHANGED_AT, CHANGED_MARK } from '../formats/jsonlines.ts';
import type { Reread } from './count.ts';

/**
 * Lines are copied once instead of twice, in blocks that stay in the caches: of a million plain lines (1.1 GB) the
 * engine's defaults take 0.53 s of processor time, these 0.2 s.
 */
const LINE_SETTINGS = { input_format_parallel_parsing: 0, max_block_size: 4096 };

/**
 * Lets the engine read a file of this machine: a million rows take 0.07 s (Parquet), 0.15 s (plain lines), 0.7 s (zstd),
 * 1.1 s (gzip).
 */
export async function rereadByEngine(
  warehouse: Warehouse,
  format: Format,
  path: string,
  signal: AbortSignal,
  settings: Query['settings'] = {},
): Promise<Reread> {
  const [row] = await warehouse.rows<TallyRow & { cleaned: string | number }>({
    sql: format.engineFormat === 'Parquet' ? parquetSql(path, format) : linesSql(path, format),
    settings: { ...(format.engineFormat === 'LineAsString' && LINE_SETTINGS), ...settings },
    signal,
  });
  return row ? { tally: tallyOf(row), cleaned: Number(row.cleaned) } : { tally: NO_ROWS, cleaned: 0 };
}

function parquetSql(path: string, format: Format): string {
  const file = `file(${quote(path)}, 'Parquet', 'uuid String', 'none')`;
  return `SELECT ${tallyColumns(format.rowUuid)}, 0 AS cleaned FROM ${file}`;
}

function linesSql(path: string, format: Format): string {
  const file = `file(${quote(path)}, 'LineAsString', 'line String', ${quote(format.codec ?? 'none')})`;
  return `SELECT ${tallyColumns(format.rowUuid)}, countIf(substring(line, ${CHANGED_AT + 1}, 1) = ${quote(CHANGED_MARK)}) AS cleaned
          FROM ${file}`;
}

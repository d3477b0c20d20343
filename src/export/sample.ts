import { EVENT_COLUMNS } from './models/events.ts';
import type { RunContext } from './ports.ts';
import { querySettings } from './queries.ts';

const SAMPLE_ROWS = 40_000;
/** A granule of the table: what is read together anyway. */
const GRANULE = 8192;

/**
 * Encoded bytes per row, from a sample of whole granules spread over the table, encoded as the run will be.
 * Rows are sorted by event name, so the first rows alone would mislead; a sample by hash would read everything.
 */
export async function bytesPerRow(context: RunContext, rows: number): Promise<number> {
  const every = Math.max(1, Math.floor(rows / SAMPLE_ROWS));
  const { source, format } = context;
  const params = { ...source.where.params, every };
  const from = (condition: string) =>
    `FROM ${source.table} WHERE ${source.where.sql}${condition} LIMIT ${SAMPLE_ROWS}`;
  const spread = ` AND intDiv(_part_offset, ${GRANULE}) % {every:UInt64} = 0`;
  const settings = querySettings(context);
  const { signal, warehouse } = context;
  const count = async (condition: string) => {
    const sql = `SELECT count() AS rows FROM (SELECT 1 ${from(condition)})`;
    const [answer] = await warehouse.rows<{ rows: string | number }>({ sql, params, settings, signal });
    return Number(answer?.rows ?? 0);
  };
  const sampled = await count(spread);
  const condition = sampled > 0 ? spread : '';
  const counted = sampled > 0 ? sampled : await count('');
  if (counted === 0) return 1;
  const stream = await warehouse.bytes({
    sql: `SELECT ${format.selectList(EVENT_COLUMNS)} FROM (SELECT ${source.columns} ${from(condition)})`,
    params,
    settings: { ...settings, ...format.settings },
    signal,
    format: format.engineFormat,
    ...(format.codec ? { compression: format.codec } : {}),
  });
  let bytes = 0;
  for await (const chunk of stream) bytes += (chunk as Buffer).length;
  return bytes / counted;
}

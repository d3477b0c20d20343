import { randomUUID } from 'node:crypto';
import type { Warehouse } from '../../warehouse/warehouse.ts';
import type { Clock } from '../../work/clock.ts';
import { type EncodedRows, EVENT_COLUMNS, stampRows } from '../rows.ts';
import { lifeSign, removeDeadStages, STAGE_PREFIX, signsOfLife } from './leftovers.ts';

/** A table of its own for the rows of one file, until all are known to be good. */
export interface Stage {
  readonly table: string;
  insert(rows: EncodedRows): Promise<void>;
  drop(): Promise<void>;
}

/** Makes the table, which shows that its import lives as long as it does, and removes those of imports that died. */
export async function createStage(warehouse: Warehouse, clock: Clock): Promise<Stage> {
  await removeDeadStages(warehouse);
  const table = `${STAGE_PREFIX}${randomUUID().replaceAll('-', '')}`;
  // In order of the day, because publishing goes day by day.
  await warehouse.command({
    sql: `CREATE TABLE ${table} ENGINE = MergeTree ORDER BY toDate(timestamp) COMMENT '${await lifeSign(warehouse)}'
          AS SELECT ${EVENT_COLUMNS.join(', ')} FROM events WHERE 0`,
  });
  const drop = () => warehouse.command({ sql: `DROP TABLE IF EXISTS ${table}` });
  const signs = await signsOfLife(warehouse, table, clock).catch(async (error) => {
    await drop();
    throw error;
  });
  return {
    table,
    insert: async (rows) => {
      stampRows(rows.bytes, 0, rows, 0);
      await warehouse.insert({ table, columns: EVENT_COLUMNS, format: 'RowBinary', body: rows.bytes });
    },
    drop: async () => {
      await signs.stop();
      await drop();
    },
  };
}

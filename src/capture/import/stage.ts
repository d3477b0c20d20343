import { randomUUID } from 'node:crypto';
import type { Warehouse } from '../../warehouse/warehouse.ts';
import { type EncodedRows, EVENT_COLUMNS, stampRows } from '../rows.ts';
import type { Stamps } from '../stamps.ts';

/** A table of its own for the rows of one file, until all are known to be good. */
export interface Stage {
  insert(rows: EncodedRows): Promise<void>;
  /** Moves the rows that are new into `events`, stamped as arriving now, and says how many were. */
  publish(stamps: Stamps): Promise<number>;
  drop(): Promise<void>;
}

const PREFIX = 'sluice_import_';
/** Left behind by an import that was killed. */
const STALE_SECONDS = 86_400;

/** Makes the table and removes those of imports that died more than a day ago. */
export async function createStage(warehouse: Warehouse, teamId: number): Promise<Stage> {
  await dropStale(warehouse);
  const table = `${PREFIX}${randomUUID().replaceAll('-', '')}`;
  // In order of the day, because publishing goes day by day.
  await warehouse.command({
    sql: `CREATE TABLE ${table} ENGINE = MergeTree ORDER BY toDate(timestamp)
          AS SELECT ${COLUMNS} FROM events WHERE 0`,
  });
  return {
    insert: async (rows) => {
      stampRows(rows.bytes, 0, rows, 0);
      await warehouse.insert({ table, columns: EVENT_COLUMNS, format: 'RowBinary', body: rows.bytes });
    },
    publish: async (stamps) => {
      const days = await warehouse.rows<{ day: string }>({
        sql: `SELECT DISTINCT toString(toDate(timestamp)) AS day FROM ${table} ORDER BY day`,
      });
      let stored = 0;
      for (const { day } of days) stored += await publishDay(warehouse, table, teamId, day, stamps);
      return stored;
    },
    drop: () => warehouse.command({ sql: `DROP TABLE IF EXISTS ${table}` }),
  };
}

const COLUMNS = EVENT_COLUMNS.join(', ');
const CONTENT = EVENT_COLUMNS.filter((column) => column !== '_timestamp' && column !== 'inserted_at').join(
  ', ',
);
const IDENTITY = 'uuid, event, cityHash64(distinct_id)';

/**
 * A day at a time: the ids already there are held in memory for the comparison, 100 bytes an event. They are counted before the rows are
 * stamped, and the stamp is no earlier than the start of the insert: from there on it holds the arrival watermark back, also
 * of other processes.
 */
async function publishDay(
  warehouse: Warehouse,
  table: string,
  teamId: number,
  day: string,
  stamps: Stamps,
): Promise<number> {
  const stampValue = "greatest(fromUnixTimestamp64Micro({stamp:Int64}, 'UTC'), now64(6, 'UTC'))";
  const rows = `FROM ${table}
    WHERE toDate(timestamp) = {day:Date} AND (${IDENTITY}) NOT IN (
      SELECT ${IDENTITY} FROM events WHERE team_id = {team:Int64} AND toDate(timestamp) = {day:Date})`;
  const params = { day, team: teamId };
  const [count] = await warehouse.rows<{ rows: string }>({
    sql: `SELECT uniqExact(${IDENTITY}) AS rows ${rows}`,
    params,
  });
  await warehouse.command({
    sql: `INSERT INTO events (${CONTENT}, _timestamp, inserted_at)
      SELECT ${CONTENT}, toDateTime(${stampValue}), ${stampValue} ${rows} LIMIT 1 BY ${IDENTITY}`,
    params: { ...params, stamp: stamps.next() },
  });
  return Number(count?.rows ?? 0);
}

async function dropStale(warehouse: Warehouse): Promise<void> {
  const stale = await warehouse.rows<{ name: string }>({
    sql: `SELECT name FROM system.tables WHERE database = currentDatabase() AND startsWith(name, {prefix:String})
          AND metadata_modification_time < now() - {seconds:UInt32}`,
    params: { prefix: PREFIX, seconds: STALE_SECONDS },
  });
  for (const { name } of stale) {
    if (/^\w+$/.test(name)) await warehouse.command({ sql: `DROP TABLE IF EXISTS ${name}` });
  }
}

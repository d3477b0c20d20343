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
export async function createStage(
  warehouse: Warehouse,
  teamId: number,
  rowsPerSlice = ROWS_PER_SLICE,
): Promise<Stage> {
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
      for (const { day } of days)
        stored += await publishDay(warehouse, table, teamId, day, stamps, rowsPerSlice);
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

/** An insert of so many takes seconds, far less than processes wait for each other's inserts. */
const ROWS_PER_SLICE = 500_000;

/**
 * A day at a time: the ids already there are held in memory for the comparison, 100 bytes an event. Each slice of a
 * large day has a stamp of its own. The rows are counted before they are stamped, and the stamp is no earlier than the
 * start of the insert: from there on it holds the arrival watermark back, also of other processes. Nodes behind one URL
 * do not see each other's inserts: there it must end before others have waited long enough for rows to settle.
 */
async function publishDay(
  warehouse: Warehouse,
  table: string,
  teamId: number,
  day: string,
  stamps: Stamps,
  rowsPerSlice: number,
): Promise<number> {
  const stampValue = "greatest(fromUnixTimestamp64Micro({stamp:Int64}, 'UTC'), now64(6, 'UTC'))";
  const ofDay = 'toDate(timestamp) = {day:Date} AND cityHash64(uuid) % {slices:UInt32} = {slice:UInt32}';
  const rows = `FROM ${table}
    WHERE ${ofDay} AND (${IDENTITY}) NOT IN (SELECT ${IDENTITY} FROM events WHERE team_id = {team:Int64} AND ${ofDay})`;
  const whole = { day, team: teamId, slices: 1, slice: 0 };
  const [count] = await warehouse.rows<{ rows: string }>({
    sql: `SELECT uniqExact(${IDENTITY}) AS rows ${rows}`,
    params: whole,
  });
  const stored = Number(count?.rows ?? 0);
  const slices = Math.ceil(stored / rowsPerSlice);
  for (let slice = 0; slice < slices; slice++) {
    await warehouse.command({
      sql: `INSERT INTO events (${CONTENT}, _timestamp, inserted_at)
        SELECT ${CONTENT}, toDateTime(${stampValue}), ${stampValue} ${rows} LIMIT 1 BY ${IDENTITY}`,
      params: { ...whole, slices, slice, stamp: stamps.next() },
    });
  }
  return stored;
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

import type { Warehouse } from '../../warehouse/warehouse.ts';
import { EVENT_COLUMNS } from '../rows.ts';
import type { Stamps } from '../stamps.ts';

export interface PublishOrder {
  readonly warehouse: Warehouse;
  /** What the rows are staged in. */
  readonly table: string;
  readonly teamId: number;
  readonly stamps: Stamps;
  /** Rows stored by one insert, with one stamp. */
  readonly rowsPerSlice: number;
  /** No insert begins after it aborts. */
  readonly signal: AbortSignal | undefined;
  /** Told at the beginning and after each insert: rows of the table done with, of how many, and events stored so far. */
  onStored(rows: number, of: number, stored: number): void;
}

export interface Published {
  /** Events that were not there yet and are now. */
  readonly stored: number;
  /** False when it was stopped before the end. */
  readonly whole: boolean;
}

/** Moves the staged rows that are new into `events`, stamped as arriving now, a day at a time. */
export async function publish(order: PublishOrder): Promise<Published> {
  const days = await order.warehouse.rows<{ day: string; rows: string }>({
    sql: `SELECT toString(toDate(timestamp)) AS day, count() AS rows FROM ${order.table} GROUP BY day ORDER BY day`,
  });
  const of = days.reduce((sum, { rows }) => sum + Number(rows), 0);
  let done = 0;
  let stored = 0;
  order.onStored(done, of, stored);
  for (const { day, rows } of days) {
    const before = { done, stored };
    const ofDay = await publishDay(order, day, (share, storedOfDay) => {
      order.onStored(before.done + Math.floor(share * Number(rows)), of, before.stored + storedOfDay);
    });
    stored += ofDay.stored;
    if (!ofDay.whole) return { stored, whole: false };
    done += Number(rows);
    order.onStored(done, of, stored);
  }
  return { stored, whole: true };
}

const CONTENT = EVENT_COLUMNS.filter((column) => column !== '_timestamp' && column !== 'inserted_at').join(
  ', ',
);
const IDENTITY = 'uuid, event, cityHash64(distinct_id)';
const OF_SLICE = 'toDate(timestamp) = {day:Date} AND cityHash64(uuid) % {slices:UInt32} = {slice:UInt32}';
const STAMP = "greatest(fromUnixTimestamp64Micro({stamp:Int64}, 'UTC'), now64(6, 'UTC'))";

/**
 * A day at a time: the ids already there are held in memory for the comparison, 100 bytes an event. Each slice of a
 * large day has a stamp of its own. The rows are counted before they are stamped, and the stamp is no earlier than the
 * start of the insert: from there on it holds the arrival watermark back, also of other processes. Nodes behind one URL
 * do not see each other's inserts: there it must end before others have waited long enough for rows to settle. So an insert that
 * has begun goes to its end.
 */
async function publishDay(
  { warehouse, table, teamId, stamps, rowsPerSlice, signal }: PublishOrder,
  day: string,
  onSlice: (share: number, stored: number) => void,
): Promise<Published> {
  const rows = `FROM ${table} WHERE ${OF_SLICE} AND (${IDENTITY}) NOT IN (
    SELECT ${IDENTITY} FROM events WHERE team_id = {team:Int64} AND ${OF_SLICE})`;
  const whole = { day, team: teamId, slices: 1, slice: 0 };
  const countNew = async (): Promise<number> => {
    const [count] = await warehouse.rows<{ rows: string }>({
      sql: `SELECT uniqExact(${IDENTITY}) AS rows ${rows}`,
      params: whole,
    });
    return Number(count?.rows ?? 0);
  };
  if (signal?.aborted) return { stored: 0, whole: false };
  const missing = await countNew();
  const slices = Math.ceil(missing / rowsPerSlice);
  for (let slice = 0; slice < slices; slice++) {
    if (signal?.aborted) return { stored: slice === 0 ? 0 : missing - (await countNew()), whole: false };
    await warehouse.command({
      sql: `INSERT INTO events (${CONTENT}, _timestamp, inserted_at)
        SELECT ${CONTENT}, toDateTime(${STAMP}), ${STAMP} ${rows} LIMIT 1 BY ${IDENTITY}`,
      params: { ...whole, slices, slice, stamp: stamps.next() },
    });
    const share = (slice + 1) / slices;
    onSlice(share, Math.floor(share * missing));
  }
  return { stored: missing, whole: true };
}

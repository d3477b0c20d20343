import type { Kysely } from 'kysely';
import { newestReadAhead } from '../batch-exports/schedule/newest-read.ts';
import { newestStampAhead } from '../capture/stamps.ts';
import type { Tables } from '../database/tables.ts';
import type { Warehouse } from '../warehouse/warehouse.ts';
import type { Clock } from '../work/clock.ts';
import type { Log } from '../work/log.ts';

export interface ClockPorts {
  readonly db: Kysely<Tables>;
  readonly warehouse: Pick<Warehouse, 'rows' | 'localFiles'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Pick<Log, 'warn'>;
}

const DAY_MS = 86_400_000;

/**
 * What lies more than a day ahead of the clock has two explanations: the clock was ahead then, which the start puts
 * right, or it is behind now, and new events will be stamped into intervals that have been exported. Only a person can
 * tell, and where there is a ClickHouse server, its clock; a line of the log asks for it.
 */
export async function warnOfClock({ db, warehouse, clock, log }: ClockPorts): Promise<void> {
  const [stamp, read, server] = await Promise.all([
    newestStampAhead(warehouse, clock),
    newestReadAhead(db, clock),
    warehouse.localFiles ? 0 : serverNow(warehouse),
  ]);
  const now = new Date(clock.now());
  if (server > clock.now() + DAY_MS) log.warn({ now, clickhouse: new Date(server) }, BEHIND);
  const newest = Math.max(Math.floor(stamp / 1000), read);
  if (newest > 0) log.warn({ now, newest: new Date(newest) }, AHEAD);
}

async function serverNow(warehouse: ClockPorts['warehouse']): Promise<number> {
  const [row] = await warehouse.rows<{ now: string | number }>({
    sql: 'SELECT toUnixTimestamp64Milli(now64(3)) AS now',
  });
  return Number(row?.now ?? 0);
}

const DAMAGE =
  'events are now stamped into intervals that may have been exported already, and live runs do not look back. Stop, set the clock ' +
  'right, start again, and repeat the runs of the intervals in which events were captured meanwhile.';

const BEHIND = `The clock of this machine is more than a day behind that of ClickHouse. If ClickHouse is right, ${DAMAGE}`;

const AHEAD =
  'Events or exported intervals lie more than a day ahead of the clock of this machine. If the clock was ahead when they were made, or ' +
  `somebody stored such events, there is nothing to do. If it is behind now, ${DAMAGE}`;

import { SluiceError } from '../errors/error.ts';
import type { Warehouse } from '../warehouse/warehouse.ts';
import { type Clock, systemClock } from '../work/clock.ts';
import type { Report } from '../work/complaints.ts';

export interface WatermarkPorts {
  readonly warehouse: Pick<Warehouse, 'rows' | 'localFiles'>;
  readonly clock: Clock;
  /** How long rows may take to become visible after they were stamped: clock skew, replication. */
  readonly settleMs: number;
  /** The oldest arrival stamp of this process that is not stored yet; null = none. */
  readonly oldestInFlight: () => number | null;
  /** Told whether the warehouse holds it back for more than minutes. */
  readonly report?: Report | undefined;
}

/** Everything waits for it then, and somebody should know. */
const LONG_MS = 300_000;

const GAP = String.raw`(\s|/\*.*?\*/|--[^\n]*\n)`;
const NAME = '(sharded_|writable_)?events';
/**
 * An insert into `events`, or into the tables that PostHog's leads to, in any database and spelling. What it reads does
 * not count: anybody's `INSERT INTO copy SELECT … FROM events` may run for hours and brings nothing here, and the files
 * that exports write are inserts into functions.
 */
const INTO_EVENTS =
  `(?is)\\binsert${GAP}+(into\\b${GAP}*)?(table\\b${GAP}*)?` +
  `((\\w+|\`[^\`]+\`|"[^"]+")\\s*\\.\\s*)?(${NAME}\\b|\`${NAME}\`|"${NAME}")\\s*([^\\s.]|$)`;

/**
 * The arrival time, in milliseconds since the epoch, below which nothing can appear any more: an
 * interval may be read once the watermark has reached its end. Upstream sleeps a fixed 30 or 60 s
 * instead (engine.md §9.6).
 *
 * An insert stamps its rows when it starts and shows them when it ends, so the oldest insert into `events` that is
 * still running holds the watermark back, whichever process sent it. A replica that has not fetched everything holds it
 * back by what it is behind, and so does a server whose clock is behind this machine's: rows that it stamps itself come
 * below our time.
 */
export async function arrivalWatermark(ports: WatermarkPorts): Promise<number> {
  const { warehouse, report } = ports;
  const settled = ports.clock.now() - ports.settleMs;
  const local = ports.oldestInFlight() ?? Number.POSITIVE_INFINITY;
  const replicaMs = await replicaDelay(warehouse);
  const { insertMs, insertId, skewMs } = await atWork(warehouse);
  if (Math.max(replicaMs, insertMs, skewMs) < LONG_MS) report?.worked();
  else report?.failed(new Error(HELD), { replicaMs, insertMs, insertId, skewMs });
  return Math.min(settled - skewMs - Math.max(replicaMs, insertMs), local);
}

const HELD = 'An insert into events runs, a replica is behind, or the clock of ClickHouse is, for so long.';

/** For how long the oldest insert into `events` has been running, and by how much the server's clock is behind. */
async function atWork(warehouse: WatermarkPorts['warehouse']) {
  // The machine's time, not the clock's, which may be set: this is about the server's.
  const asked = systemClock.now();
  const [row] = await warehouse.rows<{ seconds: number; id: string; server: string | number }>({
    sql: `SELECT max(elapsed) AS seconds, argMax(query_id, elapsed) AS id,
            toUnixTimestamp64Milli(now64(3)) AS server FROM system.processes
          WHERE query_kind IN ('Insert', 'AsyncInsertFlush') AND match(query, {into:String})`,
    params: { into: INTO_EVENTS },
    prompt: true,
  });
  return {
    insertMs: Math.ceil(Number(row?.seconds ?? 0) * 1000),
    insertId: row?.id || null,
    skewMs: warehouse.localFiles ? 0 : Math.max(0, asked - Number(row?.server ?? asked)),
  };
}

/**
 * Milliseconds that `events` on the server that answers is behind the other replicas; 0 where it is not replicated, or
 * distributed: then the server chooses replicas that are not (warehouse/settings.ts). 0, too, for a user who may not
 * know.
 */
async function replicaDelay(warehouse: WatermarkPorts['warehouse']): Promise<number> {
  if (warehouse.localFiles) return 0;
  try {
    const [row] = await warehouse.rows<{ seconds: string | number }>({
      sql: `SELECT max(absolute_delay) AS seconds FROM system.replicas
            WHERE database = currentDatabase() AND table = 'events'`,
      prompt: true,
    });
    return Number(row?.seconds ?? 0) * 1000;
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'warehouse_denied') return 0;
    throw error;
  }
}

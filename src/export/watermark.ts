import { SluiceError } from '../errors/error.ts';
import type { Warehouse } from '../warehouse/warehouse.ts';
import { type Clock, systemClock } from '../work/clock.ts';

export interface WatermarkPorts {
  readonly warehouse: Pick<Warehouse, 'rows' | 'localFiles'>;
  readonly clock: Clock;
  /** How long rows may take to become visible after they were stamped: clock skew, replication. */
  readonly settleMs: number;
  /** The oldest arrival stamp of this process that is not stored yet; null = none. */
  readonly oldestInFlight: () => number | null;
}

/**
 * The arrival time, in milliseconds since the epoch, below which nothing can appear any more: an
 * interval may be read once the watermark has reached its end. Upstream sleeps a fixed 30 or 60 s
 * instead (engine.md §9.6).
 *
 * An insert stamps its rows when it starts and shows them when it ends, so the oldest insert that is
 * still running holds the watermark back, whichever process sent it. The files that exports write are inserts, too,
 * into functions. A replica that has not fetched everything holds it back by what it is behind, and so does a server
 * whose clock is behind this machine's: rows that it stamps itself come below our time.
 */
export async function arrivalWatermark(ports: WatermarkPorts): Promise<number> {
  const settled = ports.clock.now() - ports.settleMs;
  const local = ports.oldestInFlight() ?? Number.POSITIVE_INFINITY;
  const behindMs = await replicaDelay(ports.warehouse);
  // The machine's time, not the clock's, which may be set: this is about the server's.
  const asked = systemClock.now();
  const [row] = await ports.warehouse.rows<{ seconds: number; server: string | number }>({
    sql: `SELECT max(elapsed) AS seconds, toUnixTimestamp64Milli(now64(3)) AS server FROM system.processes
          WHERE query_kind IN ('Insert', 'AsyncInsertFlush') AND position(query, 'events') > 0
            AND NOT match(query, '(?i)insert[[:space:]]+into[[:space:]]+(table[[:space:]]+)?function[[:space:]]')`,
  });
  const elapsedMs = Math.ceil(Number(row?.seconds ?? 0) * 1000);
  const skewMs = ports.warehouse.localFiles ? 0 : Math.max(0, asked - Number(row?.server ?? asked));
  return Math.min(settled - skewMs - Math.max(behindMs, elapsedMs), local);
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
    });
    return Number(row?.seconds ?? 0) * 1000;
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'warehouse_denied') return 0;
    throw error;
  }
}

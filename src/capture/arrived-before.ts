import type { Warehouse } from '../warehouse/warehouse.ts';
import type { Clock } from '../work/clock.ts';
import type { Stamps } from './stamps.ts';

export interface ArrivedPorts {
  readonly clock: Pick<Clock, 'now'>;
  /** Of this process. */
  readonly stamps: Pick<Stamps, 'newest'>;
  readonly warehouse: Pick<Warehouse, 'rows'>;
}

const DAY_MS = 86_400_000;
/** Whoever asks for an export is not kept waiting longer. */
const PATIENCE_MS = 2_000;

/**
 * The moment before which everything arrived that a project's clients know to be stored, milliseconds since the epoch: who
 * captures events and then asks for an export of them finds them in it. That is later than now when stamps are ahead of the
 * clock, because it was set back or because another process' is ahead; whoever reads up to it waits for the watermark. Stamps
 * more than a day ahead count for nothing, as in `newestStamp`. Those of others are asked for once; without an answer this
 * process' own must do.
 */
export const createArrivedBefore =
  ({ clock, stamps, warehouse }: ArrivedPorts) =>
  async (teamId: number): Promise<number> => {
    const now = clock.now();
    const limit = (now + DAY_MS) * 1000;
    const stored = await newestAhead(warehouse, teamId, now).catch(() => 0);
    const newest = [now * 1000, stored, stamps.newest()].filter((micros) => micros < limit);
    return Math.floor(Math.max(...newest) / 1000) + 1;
  };

/** Of what one project's clients sent, the newest stamp ahead of the clock, microseconds; 0 = none. */
async function newestAhead(
  warehouse: ArrivedPorts['warehouse'],
  teamId: number,
  now: number,
): Promise<number> {
  const [row] = await warehouse.rows<{ micros: string | null }>({
    sql: `SELECT max(toUnixTimestamp64Micro(assumeNotNull(inserted_at))) AS micros FROM events
          WHERE team_id = {team_id:Int64}
            AND inserted_at >= fromUnixTimestamp64Milli({now:Int64}, 'UTC')
            AND inserted_at < fromUnixTimestamp64Milli({limit:Int64}, 'UTC')`,
    params: { team_id: teamId, now, limit: now + DAY_MS },
    settings: { max_execution_time: PATIENCE_MS / 1000 },
    signal: AbortSignal.timeout(PATIENCE_MS),
    prompt: true,
  });
  return Number(row?.micros ?? 0);
}

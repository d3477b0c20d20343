import type { Warehouse } from '../warehouse/warehouse.ts';
import type { Clock } from '../work/clock.ts';

/**
 * Arrival stamps (`inserted_at`), microseconds since the epoch: each later than the one before, also
 * when the machine's clock is set back. Otherwise rows could land in an interval that was exported
 * already and never be seen (design.md, Watermark).
 */
export interface Stamps {
  next(): number;
  /** Everything that arrived before `ms`, milliseconds since the epoch, counts as read: no later stamp is below it. */
  passed(ms: number): void;
  /** The newest of all, those included that were in the warehouse before; 0 = none. */
  newest(): number;
}

/** @param afterMicros the newest stamp in the warehouse; 0 = none. */
export function createStamps(clock: Pick<Clock, 'now'>, afterMicros: number): Stamps {
  let last = afterMicros;
  let newest = afterMicros;
  return {
    next: () => {
      last = Math.max(clock.now() * 1000, last + 1);
      newest = last;
      return last;
    },
    passed: (ms) => {
      last = Math.max(last, ms * 1000 - 1);
    },
    newest: () => newest,
  };
}

const DAY_MS = 86_400_000;

/**
 * The newest arrival stamp in `events`, microseconds since the epoch; 0 = none of the last two days, which alone are
 * read: the clock is past older ones. Stamps more than a day ahead of the clock are no trace of a corrected clock but
 * someone's own rows: following them would hide every new event from the exports until that day comes.
 */
export async function newestStamp(
  warehouse: Pick<Warehouse, 'rows'>,
  clock: Pick<Clock, 'now'>,
): Promise<number> {
  const [row] = await warehouse.rows<{ micros: string | null }>({
    sql: `SELECT max(toUnixTimestamp64Micro(assumeNotNull(inserted_at))) AS micros FROM events
          WHERE inserted_at >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
            AND inserted_at < fromUnixTimestamp64Milli({limit:Int64}, 'UTC')`,
    params: { from: clock.now() - 2 * DAY_MS, limit: clock.now() + DAY_MS },
  });
  return Number(row?.micros ?? 0);
}

/** The newest arrival stamp of those, more than a day ahead of the clock, that `newestStamp` leaves out; 0 = none. */
export async function newestStampAhead(
  warehouse: Pick<Warehouse, 'rows'>,
  clock: Pick<Clock, 'now'>,
): Promise<number> {
  const [row] = await warehouse.rows<{ micros: string | null }>({
    sql: `SELECT max(toUnixTimestamp64Micro(assumeNotNull(inserted_at))) AS micros FROM events
          WHERE inserted_at >= fromUnixTimestamp64Milli({limit:Int64}, 'UTC')`,
    params: { limit: clock.now() + DAY_MS },
  });
  return Number(row?.micros ?? 0);
}

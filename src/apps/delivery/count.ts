import { setTotal } from '../historical-exports/progress.ts';
import type { Course } from './course.ts';
import type { DeliverPorts } from './ports.ts';
import type { Position } from './position.ts';
import { isAway } from './reach.ts';
import { countEvents } from './read.ts';
import { type Delivery, fenced } from './store.ts';

/** Attempts to count the events of a historical export, while there is a warehouse that tries. */
const COUNTS = 3;

/**
 * Counts the events of a historical export up to `end` (microseconds, exclusive) and stores how many there are, so that it has
 * progress. Throws the warehouse's errors; after the third that is about how much there is to count, the export goes on uncounted.
 */
export type Count = (jobId: string, cursor: Position, end: number, signal: AbortSignal) => Promise<void>;

export function createCount(
  ports: Pick<DeliverPorts, 'db' | 'warehouse' | 'log'>,
  delivery: Delivery,
  course: Course,
): Count {
  let failures = 0;
  return async (jobId, cursor, end, signal) => {
    const total = await countEvents(ports.warehouse, course, cursor, end, signal).catch((error) => {
      if (signal.aborted || isAway(error) || ++failures < COUNTS) throw error;
      // Events are more than the knowledge how many there are.
      const what = 'a historical export goes on without its progress';
      ports.log.warn({ err: error, pluginConfig: delivery.pluginConfigId }, what);
      return null;
    });
    await ports.db.transaction().execute(async (trx) => {
      await fenced(trx, delivery, {});
      await setTotal(trx, jobId, total);
    });
  };
}

import type { Clock } from '../../work/clock.ts';
import { complaints } from '../../work/complaints.ts';
import type { Log } from '../../work/log.ts';
import { type Loop, loop } from '../../work/loop.ts';
import { type FlushPorts, flushMetrics, isReadOnly } from './write-flush.ts';
import { type CountRunsPorts, countRuns } from './write-runs.ts';

export interface MetricWriterPorts extends FlushPorts, CountRunsPorts {
  readonly clock: Clock;
  readonly log: Log;
}

const TURN_MS = 1_000;
const AFTER_FAILURE_MS = 5_000;
/** Rights may come back, as after a change of passwords. */
const AFTER_REFUSAL_MS = 300_000;
/** Noted for longer than that, and still refused: what nobody lets us write must not pile up. */
const KEPT_MS = 86_400_000;

/**
 * Brings metrics to the warehouse as they come up. When it refuses them, as one that is only ours to read does, it says so once,
 * keeps what is noted for a day, and tries again every five minutes.
 */
export function writeMetrics(ports: MetricWriterPorts): Loop {
  const { db, clock, log } = ports;
  let refused = false;
  const unwritten = complaints(log, clock, 'metrics could not be written; they will be');

  const turn = async (): Promise<number | undefined> => {
    try {
      const more = [await flushMetrics(ports), await countRuns(ports)];
      if (refused) log.info('app metrics are written again');
      refused = false;
      unwritten.worked();
      return more.some(Boolean) ? 0 : undefined;
    } catch (error) {
      if (!isReadOnly(error)) {
        unwritten.failed(error);
        return AFTER_FAILURE_MS;
      }
      if (!refused) log.warn({ err: error }, 'the warehouse lets us read only: app metrics wait');
      refused = true;
      await dropOld();
      return AFTER_REFUSAL_MS;
    }
  };

  const dropOld = async () => {
    const { numDeletedRows } = await db
      .deleteFrom('app_metric_outbox')
      .where('timestamp', '<', new Date(clock.now() - KEPT_MS))
      .executeTakeFirst();
    if (Number(numDeletedRows) > 0) ports.onUnwritten(Number(numDeletedRows));
  };

  return loop(clock, TURN_MS, turn, complaints(log, clock, 'metrics'));
}

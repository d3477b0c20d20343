import type { Clock } from '../../work/clock.ts';
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

/**
 * Brings metrics to the warehouse as they come up. On a warehouse that is only ours to read it says so once and stops:
 * until the next start none are written.
 */
export function writeMetrics(ports: MetricWriterPorts): Loop {
  const { db, clock, log } = ports;
  let off = false;

  const turn = async (): Promise<number | undefined> => {
    if (off) {
      await dropNoted();
      return undefined;
    }
    try {
      const more = [await flushMetrics(ports), await countRuns(ports)];
      return more.some(Boolean) ? 0 : undefined;
    } catch (error) {
      if (!isReadOnly(error)) {
        log.warn({ err: error }, 'metrics could not be written; they will be');
        return AFTER_FAILURE_MS;
      }
      off = true;
      log.warn({ err: error }, 'the warehouse lets us read only: app metrics are off');
      return undefined;
    }
  };

  const dropNoted = async () => {
    const { numDeletedRows } = await db.deleteFrom('app_metric_outbox').executeTakeFirst();
    if (Number(numDeletedRows) > 0) ports.onUnwritten(Number(numDeletedRows));
  };

  return loop(clock, TURN_MS, turn, (err) => log.warn({ err }, 'metrics'));
}

import { SluiceError } from '../errors/error.ts';
import { forbidsSetting } from '../warehouse/exception.ts';
import type { Warehouse } from '../warehouse/warehouse.ts';
import type { Clock } from '../work/clock.ts';
import { EVENT_COLUMNS } from './rows.ts';
import type { InsertStep } from './steps.ts';

export interface StorePorts {
  readonly warehouse: Pick<Warehouse, 'insert'>;
  readonly clock: Clock;
  /** Told of every failed attempt; the error holds no event. */
  readonly onFailure?: (error: unknown, attempt: number) => void;
  /** Told once that the user may not limit the time of inserts, so that those from now on have no limit. */
  readonly onUnlimited?: () => void;
  /** Told of every insert that is stored. */
  readonly onStored?: () => void;
  /** Told of the named moments of every insert, for tests that stop the process there. */
  readonly onStep?: (step: InsertStep) => void;
}

export interface StoreLimits {
  /** An insert that takes longer is stopped and tried again, milliseconds. */
  readonly insertTimeoutMs: number;
  /** Waits between the attempts of one insert, milliseconds. */
  readonly retryDelaysMs: readonly number[];
  /**
   * So long after its rows were stamped an insert is stopped and not tried again, milliseconds, and ClickHouse itself
   * ends one that takes as long: other processes may have exported what arrived then, and where several nodes answer
   * they do not see what runs on each of them. Null = no limit, for the only process, whose arrival watermark knows its
   * inserts.
   */
  readonly repeatWithinMs: number | null;
}

/** Events of 100 different months in one insert are unusual, not wrong. */
const SETTINGS = { max_partitions_per_insert_block: 0 };
export const RETRY_AFTER_SECONDS = 5;

/**
 * Stores stamped rows, with as many attempts as the limits allow, all of which send the same bytes: the same ids and the same stamp,
 * so that a repetition merges away. The function it returns throws `unavailable`: the client should send the rows again.
 */
export function createStore(
  ports: StorePorts,
  limits: StoreLimits,
): (body: Buffer, stamp: number) => Promise<void> {
  const { warehouse, clock, onFailure, onUnlimited, onStored, onStep } = ports;
  const { repeatWithinMs } = limits;
  /** Whether inserts carry a limit of time, which the user's profile may not allow to be set. */
  let isLimited = repeatWithinMs !== null;

  const limited = {
    ...SETTINGS,
    max_execution_time: Math.max(1, Math.floor((repeatWithinMs ?? 0) / 1000)),
  };
  /** Milliseconds until rows of this stamp come too late. */
  const timeLeft = (stamp: number): number =>
    repeatWithinMs === null ? Number.POSITIVE_INFINITY : stamp / 1000 + repeatWithinMs - clock.now();
  /** Also one that waits for a connection is stopped in time: nobody else knows of it. */
  const attempt = (body: Buffer, stamp: number, withLimit: boolean): Promise<void> => {
    const limitMs = Math.min(limits.insertTimeoutMs, timeLeft(stamp));
    return warehouse.insert({
      table: 'events',
      columns: EVENT_COLUMNS,
      format: 'RowBinary',
      body,
      settings: withLimit ? limited : SETTINGS,
      // By a timer, whatever happens to the clock meanwhile.
      signal: AbortSignal.timeout(Math.max(0, Math.floor(limitMs))),
    });
  };

  return async (body, stamp) => {
    onStep?.('insert-started');
    let withLimit = isLimited;
    for (let attempts = 1; ; attempts++) {
      try {
        await attempt(body, stamp, withLimit);
        if (isLimited && !withLimit) {
          isLimited = false;
          onUnlimited?.();
        }
        onStep?.('insert-stored');
        onStored?.();
        return;
      } catch (error) {
        onFailure?.(error, attempts);
        if (withLimit && forbidsSetting(error)) {
          withLimit = false;
          continue;
        }
        const delay = limits.retryDelaysMs[attempts - 1];
        const retryable = error instanceof SluiceError && error.kind === 'retry';
        if (!retryable || delay === undefined || timeLeft(stamp) < delay) {
          throw new SluiceError('unavailable', {
            detail: 'The events could not be stored; send them again.',
            retryAfter: RETRY_AFTER_SECONDS,
            cause: error,
          });
        }
        await clock.sleep(delay);
      }
    }
  };
}

import type { Clock } from './clock.ts';
import type { Log } from './log.ts';

/** Told how each attempt at something that is done again and again went. */
export interface Report {
  /** `fields` go into the line, if there is one. */
  failed(error: unknown, fields?: object): void;
  worked(): void;
}

const EVERY_MS = 60_000;

/**
 * A log that an outage does not flood: `what` is told at its first failure, then at most once a minute with the number
 * of failures since, and once when it works again. What comes and goes within a minute is told at most once a minute,
 * too.
 */
export function complaints(log: Pick<Log, 'warn' | 'info'>, clock: Pick<Clock, 'now'>, what: string): Report {
  let toldAt = Number.NEGATIVE_INFINITY;
  let untold = 0;
  let failures = 0;
  let told = false;
  return {
    failed: (err, fields = {}) => {
      failures++;
      untold++;
      // A clock that was set back must not silence anybody.
      if (Math.abs(clock.now() - toldAt) < EVERY_MS) return;
      log.warn({ err, ...fields, ...(untold > 1 && { failures: untold }) }, what);
      toldAt = clock.now();
      untold = 0;
      told = true;
    },
    worked: () => {
      if (failures === 0) return;
      if (told) log.info({ failures }, `over: ${what}`);
      told = false;
      failures = 0;
    },
  };
}

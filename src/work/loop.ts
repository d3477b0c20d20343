import type { Clock } from './clock.ts';
import type { Report } from './complaints.ts';

export interface Loop {
  /** Resolves when the turn in progress has ended; none follows. */
  stop(): Promise<void>;
}

/** After failures in a row a pause is the longer the more there were, up to this. */
const LONGEST_AFTER_FAILURE_MS = 5_000;

/**
 * Calls `turn` again and again, `pauseMs` after each has ended, until stopped. A turn that throws is
 * reported and does not end the loop: what it was about is looked at again by the next. A turn may ask for another
 * pause before the next one, milliseconds.
 */
export function loop(
  clock: Clock,
  pauseMs: number,
  turn: () => Promise<number | undefined>,
  report: Report,
): Loop {
  const stopping = new AbortController();
  const run = async () => {
    for (let failures = 0; !stopping.signal.aborted; ) {
      let pause = pauseMs;
      try {
        pause = (await turn()) ?? pauseMs;
        failures = 0;
        report.worked();
      } catch (error) {
        failures++;
        pause = Math.max(pauseMs, Math.min(pauseMs * (failures + 1), LONGEST_AFTER_FAILURE_MS));
        report.failed(error);
      }
      await clock.sleep(pause, stopping.signal).catch(() => {});
    }
  };
  const running = run();
  return {
    stop: () => {
      stopping.abort();
      return running;
    },
  };
}

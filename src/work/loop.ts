import type { Clock } from './clock.ts';

export interface Loop {
  /** Resolves when the turn in progress has ended; none follows. */
  stop(): Promise<void>;
}

/**
 * Calls `turn` again and again, `pauseMs` after each has ended, until stopped. A turn that throws is
 * reported and does not end the loop: what it was about is looked at again by the next. A turn may ask for another
 * pause before the next one, milliseconds.
 */
export function loop(
  clock: Clock,
  pauseMs: number,
  turn: () => Promise<number | undefined>,
  onError: (error: unknown) => void,
): Loop {
  const stopping = new AbortController();
  const run = async () => {
    while (!stopping.signal.aborted) {
      let pause = pauseMs;
      try {
        pause = (await turn()) ?? pauseMs;
      } catch (error) {
        onError(error);
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

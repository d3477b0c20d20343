import type { Clock } from './clock.ts';

export interface Loop {
  /** Resolves when the turn in progress has ended; none follows. */
  stop(): Promise<void>;
}

/**
 * Calls `turn` again and again, `pauseMs` after each has ended, until stopped. A turn that throws is
 * reported and does not end the loop: what it was about is looked at again by the next.
 */
export function loop(
  clock: Clock,
  pauseMs: number,
  turn: () => Promise<void>,
  onError: (error: unknown) => void,
): Loop {
  const stopping = new AbortController();
  const run = async () => {
    while (!stopping.signal.aborted) {
      try {
        await turn();
      } catch (error) {
        onError(error);
      }
      await clock.sleep(pauseMs, stopping.signal).catch(() => {});
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

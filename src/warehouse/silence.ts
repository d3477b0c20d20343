import { SluiceError } from '../errors/error.ts';
import { systemClock } from '../work/clock.ts';
import { withinLimit } from '../work/within-limit.ts';

/** Watches over one request that may compute for long before it says anything. */
export interface SilenceWatch {
  /** Aborts, with `warehouse_unavailable`, once the server is taken for dead. */
  readonly dead: AbortSignal;
  /** Something came. */
  heard(): void;
  stop(): void;
}

/** Between two questions to a server that did not answer the first. */
const ASK_AGAIN_MS = 1_000;

/**
 * A query may be silent for half an hour because it computes, or because nobody is there any more: a connection whose
 * other end vanished, or that something in between holds open, tells nothing. After `silenceMs` without a byte the server
 * is asked (`ping`, on a connection of its own) whether it lives; when it has not answered for another `silenceMs`, the
 * request is given up. `ping` must end by itself.
 */
export function watchSilence(silenceMs: number, ping: () => Promise<void>): SilenceWatch {
  const dead = new AbortController();
  const stopped = new AbortController();
  let heardAt = performance.now();
  let timer: NodeJS.Timeout;

  const arm = (ms: number): void => {
    timer = setTimeout(() => void look(), ms);
  };
  const look = async (): Promise<void> => {
    const quietMs = performance.now() - heardAt;
    if (quietMs < silenceMs) return arm(silenceMs - quietMs);
    const since = heardAt;
    const lives = await answers(performance.now() + silenceMs);
    if (stopped.signal.aborted) return;
    if (lives || heardAt > since) return arm(silenceMs);
    const detail = `The warehouse could not be reached: no byte of the answer and none to a ping for ${silenceMs / 1000} s.`;
    dead.abort(new SluiceError('warehouse_unavailable', { detail }));
  };
  const answers = async (deadline: number): Promise<boolean> => {
    while (!stopped.signal.aborted) {
      const [pinged] = await Promise.allSettled([
        withinLimit(systemClock, deadline - performance.now(), ping()),
      ]);
      if (pinged.status === 'fulfilled') return true;
      if (performance.now() + ASK_AGAIN_MS >= deadline) return false;
      await systemClock.sleep(ASK_AGAIN_MS, stopped.signal).catch(() => {});
    }
    return false;
  };

  // Real time, whatever the clock of the run: this is about the wire.
  arm(silenceMs);
  return {
    dead: dead.signal,
    heard: () => {
      heardAt = performance.now();
    },
    stop: () => {
      stopped.abort();
      clearTimeout(timer);
    },
  };
}

import type { Clock } from '../../work/clock.ts';

/** A sleep that can be cut short, also just before it begins. */
export interface Alarm {
  ring(): void;
  /** Resolves after `ms`, when it rings, or when `signal` aborts. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

export function createAlarm(clock: Pick<Clock, 'sleep'>): Alarm {
  let rung = false;
  let sleeping: AbortController | null = null;
  return {
    ring: () => {
      rung = true;
      sleeping?.abort();
    },
    wait: async (ms, signal) => {
      if (!rung && !signal.aborted) {
        sleeping = new AbortController();
        await clock.sleep(ms, AbortSignal.any([sleeping.signal, signal])).catch(() => {});
        sleeping = null;
      }
      rung = false;
    },
  };
}

import type { Clock } from '../../src/work/clock.ts';

/** A server's loops look this often, whatever they ask for: when the clock is moved, something may be due. */
const LONGEST_SLEEP_MS = 40;

/** A clock that goes on by itself and can be moved forward by hours; waiting takes no longer than a moment. */
export class SettableClock implements Clock {
  #offset: number;

  constructor(start: string) {
    this.#offset = Date.parse(start) - Date.now();
  }

  now(): number {
    return Date.now() + this.#offset;
  }

  advance(ms: number): void {
    this.#offset += ms;
  }

  /** Forward only. */
  moveTo(instant: number): void {
    this.advance(Math.max(0, instant - this.now()));
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const stop = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(
        () => {
          signal?.removeEventListener('abort', stop);
          resolve();
        },
        Math.min(ms, LONGEST_SLEEP_MS),
      );
      signal?.addEventListener('abort', stop, { once: true });
    });
  }
}

import type { Clock } from '../../src/work/clock.ts';

/** Who sleeps looks this often, whatever was asked for: not only the clock makes something due. */
const LONGEST_SLEEP_MS = 150;

/** A clock that goes on by itself and can be moved by hours; waiting takes no longer than a moment. */
export class SettableClock implements Clock {
  #offset: number;
  readonly #sleepers = new Set<() => void>();

  constructor(start: string) {
    this.#offset = Date.parse(start) - Date.now();
  }

  now(): number {
    return Date.now() + this.#offset;
  }

  /** Wakes everybody who sleeps: something may be due. */
  advance(ms: number): void {
    this.#offset += ms;
    for (const wake of [...this.#sleepers]) wake();
  }

  /** Forward only. */
  moveTo(instant: number): void {
    this.advance(Math.max(0, instant - this.now()));
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const end = () => {
        clearTimeout(timer);
        this.#sleepers.delete(wake);
        signal?.removeEventListener('abort', stop);
      };
      const wake = () => {
        end();
        resolve();
      };
      const stop = () => {
        end();
        reject(signal?.reason);
      };
      const timer = setTimeout(wake, Math.min(ms, LONGEST_SLEEP_MS));
      this.#sleepers.add(wake);
      signal?.addEventListener('abort', stop, { once: true });
    });
  }
}

import type { Clock } from '../../work/clock.ts';

/** What goes wrong on our side: the warehouse or the database is away. A receiver's failures are its health's. */
export interface Troubles {
  readonly any: boolean;
  /** Returns how long to wait, milliseconds. Those of batches on the way together are one. */
  another(): number;
  over(): void;
}

const SHORTEST_MS = 1_000;
/** Short: when it is over nobody says so. */
const LONGEST_MS = 15_000;

export function createTroubles(clock: Pick<Clock, 'now'>): Troubles {
  let inARow = 0;
  let until = 0;
  return {
    get any() {
      return inARow > 0;
    },
    another: () => {
      const now = clock.now();
      if (now >= until) {
        until = now + Math.min(LONGEST_MS, SHORTEST_MS * 2 ** Math.min(inARow, 10));
        inARow += 1;
      }
      // Less, should the clock have been set back meanwhile.
      return Math.min(LONGEST_MS, until - now);
    },
    over: () => {
      inARow = 0;
    },
  };
}

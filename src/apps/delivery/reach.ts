import { SluiceError } from '../../errors/error.ts';

/** How far looks of a plan go along the first coordinate, microseconds. */
export interface Reach {
  /** Of the next one; adapts to how dense the events are. */
  micros: number;
  readonly looks: Stretch;
  /** Of the search for the next event where there are none. */
  readonly leaps: Stretch;
}

/** How much may be asked for at once: where that was too much for the warehouse, half of it, and after a while more again. */
export interface Stretch {
  readonly most: number;
  worked(asked: number): void;
  failed(asked: number, error: unknown): void;
}

export const SHORTEST = 1_000_000;
/** Fewer events than a batch holds in so long a time go without company. */
const LONGEST = 32 * 86_400_000_000;

export const firstReach = (micros = 60_000_000): Reach => ({
  micros,
  looks: createStretch(LONGEST),
  leaps: createStretch(Number.POSITIVE_INFINITY),
});

/** So many must work before more is tried; each time that fails at once, twice as many. */
const CALM = { least: 8, most: 1_024 };

function createStretch(longest: number): Stretch {
  let most = longest;
  let calm = 0;
  let needed = CALM.least;
  let trying = false;
  return {
    get most() {
      return most;
    },
    worked: (asked) => {
      if (most === longest || asked < most) return;
      if (trying) needed = CALM.least;
      calm += 1;
      trying = calm >= needed;
      if (!trying) return;
      calm = 0;
      most = Math.min(longest, most * 2);
    },
    failed: (asked, error) => {
      if (isAway(error)) return;
      if (trying) needed = Math.min(CALM.most, needed * 2);
      trying = false;
      calm = 0;
      most = Math.max(SHORTEST, Math.floor(Math.min(most, asked) / 2));
    },
  };
}

/** Whether an error says nothing about how much was asked for. */
export const isAway = (error: unknown): boolean =>
  error instanceof SluiceError && ['warehouse_unavailable', 'warehouse_denied'].includes(error.code);

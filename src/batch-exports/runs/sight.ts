import type { Clock } from '../../work/clock.ts';
import { ALIVE_SECONDS } from './seen.ts';

/** Whether this process would know if another were alive: it has looked at the database without a break for a while. */
export interface Sight {
  /** The database has answered. */
  looked(): void;
  /** How old, in seconds, the last sign of life of a process may be that counts as alive. */
  patience(): number;
}

/** Longer than a watch's turn takes. */
const BREAK_MS = 6_000;
const ANY_AGE = 1e9;

/**
 * After an outage of the database nobody was seen lately, and who works on says so within seconds: until then everybody counts
 * as alive who was at work before. Who has just started has missed nothing.
 */
export function createSight(clock: Pick<Clock, 'now'>): Sight {
  let lookedAt: number | null = null;
  let backAt = Number.NEGATIVE_INFINITY;
  return {
    looked: () => {
      const now = clock.now();
      if (lookedAt !== null && now - lookedAt > BREAK_MS) backAt = now;
      lookedAt = now;
    },
    patience: () => {
      const now = clock.now();
      const isSteady = now - (lookedAt ?? now) <= BREAK_MS && Math.abs(now - backAt) >= ALIVE_SECONDS * 1000;
      return isSteady ? ALIVE_SECONDS : ANY_AGE;
    },
  };
}

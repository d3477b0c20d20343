import { SluiceError } from '../../errors/error.ts';
import type { Clock } from '../../work/clock.ts';
import type { OpenBatch } from './store.ts';

/**
 * Batches of which fewer events are read than were planned: a replica lags behind, or they were deleted or merged away. To end
 * such a batch at once could lose them.
 */
export interface Shortfalls {
  /**
   * Whether `found` events are all that were planned; false = fewer, but as few at every look for a while. Throws
   * `warehouse_unavailable` as long as more may appear.
   */
  isWhole(batch: OpenBatch, found: number): boolean;
}

const LOOKS = 5;
/** Milliseconds between the first look and the last. */
const WHILE_MS = 30_000;

/** @param clock one that does not go back */
export function createShortfalls(clock: Pick<Clock, 'now'>): Shortfalls {
  const short = new Map<string, { readonly found: number; readonly since: number; looks: number }>();
  return {
    isWhole: (batch, found) => {
      const before = short.get(batch.id);
      short.delete(batch.id);
      if (found >= batch.events) return true;
      const now = before?.found === found ? before : { found, since: clock.now(), looks: 0 };
      now.looks += 1;
      if (now.looks >= LOOKS && clock.now() - now.since >= WHILE_MS) return false;
      short.set(batch.id, now);
      throw new SluiceError('warehouse_unavailable', {
        detail: `Of ${batch.events} events of a batch the warehouse has ${found}; they are looked for again.`,
      });
    },
  };
}

/**
 * A batch as it was planned, or with fewer events when those `found` are all that is left of it, which is told then. Throws as
 * `isWhole` does.
 */
export function asFound(
  shortfalls: Shortfalls,
  batch: OpenBatch,
  found: number,
  tell: (counts: { readonly planned: number; readonly found: number }) => void,
): OpenBatch {
  if (shortfalls.isWhole(batch, found)) return batch;
  tell({ planned: batch.events, found });
  return { ...batch, events: found };
}

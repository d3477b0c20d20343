import { SluiceError } from '../../errors/error.ts';
import type { Clock } from '../../work/clock.ts';
import type { OpenBatch } from './store.ts';

/**
 * Batches of which fewer events are read than were planned: they were deleted or merged away (of an event that its client sent
 * twice, the first row goes some day), or a replica lags behind. To end such a batch at once could then lose them.
 */
export interface Shortfalls {
  /**
   * Whether `found` events are all that were planned, or fewer and no more to come: `merged` where each query sees all that
   * others saw, `gone` where there are as few at every look for a while. Throws `warehouse_unavailable` as long as more may
   * appear, and the warehouse's errors.
   */
  judge(batch: OpenBatch, found: number): Promise<'whole' | 'merged' | 'gone'>;
}

const LOOKS = 5;
/** Milliseconds between the first look and the last. */
const WHILE_MS = 30_000;

/**
 * @param clock one that does not go back
 * @param oneCopy whether `events` is on one node alone
 */
export function createShortfalls(clock: Pick<Clock, 'now'>, oneCopy: () => Promise<boolean>): Shortfalls {
  const short = new Map<string, { readonly found: number; readonly since: number; looks: number }>();
  return {
    judge: async (batch, found) => {
      const before = short.get(batch.id);
      short.delete(batch.id);
      if (found >= batch.events) return 'whole';
      if (await oneCopy()) return 'merged';
      const now = before?.found === found ? before : { found, since: clock.now(), looks: 0 };
      now.looks += 1;
      if (now.looks >= LOOKS && clock.now() - now.since >= WHILE_MS) return 'gone';
      short.set(batch.id, now);
      throw new SluiceError('warehouse_unavailable', {
        detail: `Of ${batch.events} events of a batch the warehouse has ${found}; they are looked for again.`,
      });
    },
  };
}

/**
 * A batch as it was planned, or with fewer events when those `found` are all that is left of it, which is told of those that
 * were waited for. Throws as `judge` does.
 */
export async function asFound(
  shortfalls: Shortfalls,
  batch: OpenBatch,
  found: number,
  tell: (counts: { readonly planned: number; readonly found: number }) => void,
): Promise<OpenBatch> {
  const judged = await shortfalls.judge(batch, found);
  if (judged === 'whole') return batch;
  if (judged === 'gone') tell({ planned: batch.events, found });
  return { ...batch, events: found };
}

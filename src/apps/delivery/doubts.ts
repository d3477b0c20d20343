import type { OpenBatch } from './store.ts';

/**
 * How many failures of an open batch may be about the batch itself. Unlike its attempts, that counts neither those of a receiver
 * that was away nor changes of hands. It is not stored: a process begins the count anew.
 */
export interface Doubts {
  /** One more; returns how many there are. */
  another(batch: OpenBatch): number;
  /** What is open in a batch's place, perhaps itself, is as doubtful as it was. */
  passOn(batch: OpenBatch, instead: readonly OpenBatch[]): void;
}

export function createDoubts(): Doubts {
  const doubts = new Map<string, number>();
  return {
    another: ({ id }) => {
      const now = (doubts.get(id) ?? 0) + 1;
      doubts.set(id, now);
      return now;
    },
    passOn: (batch, instead) => {
      const known = doubts.get(batch.id);
      doubts.delete(batch.id);
      if (known !== undefined) for (const { id } of instead) doubts.set(id, known);
    },
  };
}

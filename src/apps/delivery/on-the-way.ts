import type { Health } from './health.ts';
import type { Memory } from './memory.ts';
import { MOST_BYTES, type ReadAhead } from './read-ahead.ts';
import type { OpenBatch } from './store.ts';

/** The batches of a delivery that have begun and not ended, and the memory that they have or wait for. */
export interface OnTheWay {
  readonly size: number;
  has(batch: OpenBatch): boolean;
  /**
   * Whether one more may begin. One always may; beyond that a delivery has no more than its share in hand, and no second one
   * that waits: a receiver that does not answer would have all there is before its first failure is known.
   */
  hasRoomFor(batch: OpenBatch): boolean;
  /** Calls `send` once there is memory, with those of `next` that may be read ahead: where memory is short, none. */
  begin(batch: OpenBatch, next: readonly OpenBatch[], send: Send): void;
  /** Resolves when all have ended. */
  ended(): Promise<unknown>;
}

export type Send = (next: readonly OpenBatch[]) => Promise<void>;

export interface OnTheWayPorts {
  readonly memory: Memory;
  readonly health: Pick<Health, 'failures' | 'waitMs'>;
  readonly ahead: Pick<ReadAhead, 'forget'>;
  /** Of a batch whose size is not known. */
  readonly mostBytes: number;
  /** Whoever waits for memory then waits no more. */
  readonly stopping: AbortSignal;
  /** There may be room for another. */
  readonly onRoom: () => void;
}

/** Of the memory, one delivery has a quarter. */
const DELIVERIES = 4;

export function createOnTheWay(ports: OnTheWayPorts): OnTheWay {
  const { memory, health, ahead } = ports;
  const sent = new Map<string, Promise<void>>();
  let bytesInHand = 0;
  let oneWaits = false;
  const budgetNow = () => memory[health.failures > 0 ? 'failing' : 'healthy'];
  const sizeOf = ({ bytes }: OpenBatch) => bytes ?? ports.mostBytes;
  return {
    get size() {
      return sent.size;
    },
    has: ({ id }) => sent.has(id),
    hasRoomFor: (batch) =>
      sent.size === 0 || (!oneWaits && bytesInHand + sizeOf(batch) <= budgetNow().total / DELIVERIES),
    begin: (batch, next, send) => {
      const sending = withMemory(batch, next, send).finally(() => {
        sent.delete(batch.id);
        ports.onRoom();
      });
      sent.set(batch.id, sending);
    },
    ended: () => Promise.all(sent.values()),
  };

  async function withMemory(batch: OpenBatch, next: readonly OpenBatch[], send: Send): Promise<void> {
    const budget = budgetNow();
    const alone = sizeOf(batch);
    const all = next.reduce((sum, { bytes }) => sum + (bytes ?? 0), alone);
    const ample = Math.max(alone, Math.min(all, MOST_BYTES));
    const isShort = !budget.has(ample);
    if (isShort) ahead.forget();
    const bytes = isShort ? alone : ample;
    const waits = !budget.has(bytes);
    oneWaits ||= waits;
    bytesInHand += bytes;
    try {
      const giveBack = await budget.take(bytes, ports.stopping).catch(() => null);
      if (waits) oneWaits = false;
      // Stopped before its turn came.
      if (!giveBack) return;
      // Meanwhile another batch may have failed, or been taken: it begins anew where it belongs now.
      if (health.waitMs > 0 || budgetNow() !== budget) return giveBack();
      if (waits) ports.onRoom();
      await send(isShort ? [] : next).finally(giveBack);
    } finally {
      bytesInHand -= bytes;
    }
  }
}

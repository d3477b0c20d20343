import type { Ledger, LedgerEntry, ReplacedFile } from './outcome.ts';
import { sliceName } from './spec.ts';

/**
 * The ledger of a one-shot export: it is not resumed, so nothing has to survive. `replaced`: what it is to remove when
 * it is done.
 */
export function memoryLedger(replaced: readonly ReplacedFile[] = []): Ledger {
  const entries = new Map<string, LedgerEntry>();
  let replacing = false;
  return {
    entries: async () => [...entries.values()],
    record: async (entry) => void entries.set(sliceName(entry.slice), entry),
    forget: async (slice) => void entries.delete(sliceName(slice)),
    withdraw: async () => [...entries.values()],
    assertOwned: async () => {},
    beginReplacing: async () => {
      replacing = true;
    },
    isReplacing: async () => replacing,
    previousKeys: async () => replaced.map(({ key }) => key),
    replaced: async () => replaced,
    marks: async () => ({ runIds: [], receipts: [...entries.values()].map(({ staged }) => staged) }),
    previousSlices: async () => [],
  };
}

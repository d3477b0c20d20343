import type { Ledger, LedgerEntry } from './outcome.ts';
import { sliceName } from './spec.ts';

/** The ledger of a one-shot export: it is not resumed, so nothing has to survive. */
export function memoryLedger(): Ledger {
  const entries = new Map<string, LedgerEntry>();
  return {
    entries: async () => [...entries.values()],
    record: async (entry) => void entries.set(sliceName(entry.slice), entry),
    forget: async (slice) => void entries.delete(sliceName(slice)),
    withdraw: async () => [...entries.values()],
    assertOwned: async () => {},
    beginReplacing: async () => {},
    isReplacing: async () => false,
    previousKeys: async () => [],
    replaced: async () => [],
    previousSlices: async () => [],
  };
}

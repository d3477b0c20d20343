import { SluiceError } from '../errors/error.ts';
import type { Ledger, LedgerEntry } from './outcome.ts';
import type { RunContext } from './ports.ts';
import { runLog } from './run-log.ts';
import { keyOf } from './slice-key.ts';
import { WHOLE } from './slices.ts';
import { type Slice, sliceName } from './spec.ts';
import { withdraw } from './withdraw.ts';

export interface Resumed {
  /** Finished by earlier attempts and still there. */
  readonly done: readonly LedgerEntry[];
  /** Finished once, but the staged file is gone: to be done again under the same key. */
  readonly lost: readonly Slice[];
}

/** Looks at what the ledger holds and the target still has, and removes what nobody will finish. */
export async function resume(context: RunContext): Promise<Resumed> {
  const { attempt, ledger, observer, signal, target } = context;
  const entries = await entriesToGoOnWith(context);
  const done: LedgerEntry[] = [];
  const lost: Slice[] = [];
  for (const entry of entries) {
    const sameKey = keyOf(context, entry.slice) === entry.staged.key;
    if (sameKey && (await target.isStaged(entry.staged, signal))) {
      done.push(entry);
    } else {
      await ledger.forget(entry.slice);
      lost.push(entry.slice);
    }
  }
  if (done.length > 0) {
    const rows = done.reduce((sum, entry) => sum + entry.rows, 0);
    observer.log('INFO', runLog.resumed(done.length, rows));
  }
  if (attempt > 1) await sweepBefore(context, attempt, entries, done);
  return { done, lost };
}

/**
 * What an earlier attempt began to take back is taken back to the end: this one starts afresh. Marked entries beside others are
 * those that were kept (`forgetAll`): taking back marks all.
 */
async function entriesToGoOnWith(context: RunContext): Promise<readonly LedgerEntry[]> {
  const entries = await context.ledger.entries();
  const standing = entries.filter(({ withdrawn }) => !withdrawn);
  if (standing.length > 0 || entries.length === 0) return standing;
  await forgetAll(context.ledger, await withdraw(context.spec, context));
  return [];
}

/** `kept`: entries whose files stayed under an earlier run's keys. Only their receipts tell those files from another export's. */
export async function forgetAll(ledger: Ledger, kept: readonly LedgerEntry[]): Promise<void> {
  const names = new Set(kept.map(({ slice }) => sliceName(slice)));
  for (const { slice } of await ledger.entries()) {
    if (!names.has(sliceName(slice))) await ledger.forget(slice);
  }
}

/**
 * Removes what attempts before `attempt` staged, but for what `kept` names. `entries` are those of the ledger; a slice that was
 * not recorded lies beside them. A bucket in which a listing comes to no end within its limits (a million uploads of somebody
 * else) is no reason to fail for good: the log says what may remain.
 */
async function sweepBefore(
  context: RunContext,
  attempt: number,
  entries: readonly LedgerEntry[],
  kept: readonly LedgerEntry[],
): Promise<void> {
  const keys = [keyOf(context, WHOLE), ...entries.map(({ staged }) => staged.key)];
  const keep = kept.map(({ staged }) => staged);
  // Woken after a newer attempt began, this one would take its uploads.
  await context.ledger.assertOwned();
  const { names, observer, signal, spec, target } = context;
  try {
    await target.sweep(spec.runId, attempt, keys, keep, names.owns, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof SluiceError) || error.code !== 'destination_config') throw error;
    observer.log('WARNING', runLog.notSwept(error.message));
  }
}

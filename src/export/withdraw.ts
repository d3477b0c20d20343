import type { FileTarget, Staged } from './destinations/destination.ts';
import { fileNames } from './file-names.ts';
import type { Ledger } from './outcome.ts';
import type { FileOptions, RunSpec } from './spec.ts';

export interface WithdrawPorts {
  readonly target: FileTarget;
  readonly files: FileOptions;
  readonly ledger: Pick<Ledger, 'entries' | 'previousKeys'>;
}

/**
 * Removes all that a run made: staged files, and files it published already. Keys that an earlier run of
 * the same interval published stay: that run's rows are the same, and readers count on them. For runs that end
 * without an outcome: cancelled (also between two attempts), failed for good. Every file is tried; the first error
 * is thrown at the end, and the call may be repeated.
 */
export async function withdraw(
  spec: Pick<RunSpec, 'runId' | 'interval' | 'model' | 'keySuffix'>,
  { files, ledger, target }: WithdrawPorts,
): Promise<void> {
  const kept = new Set(await ledger.previousKeys());
  const entries = await ledger.entries();
  // A slice that was not recorded yet lies beside the others.
  const keys = [fileNames(spec, files).key(null), ...entries.map(({ staged }) => staged.key)];
  const results = await Promise.allSettled([
    ...entries.map(({ staged }) => retract(target, staged, !kept.has(staged.key))),
    target.sweep(spec.runId, Number.POSITIVE_INFINITY, keys, []),
  ]);
  const failure = results.find((result) => result.status === 'rejected');
  if (failure) throw failure.reason;
}

/** A key holds this run's file only if publishing had begun; what else lies there is not ours to remove. */
async function retract(target: FileTarget, staged: Staged, removable: boolean): Promise<void> {
  await target.discard(staged);
  if (removable && (await target.isStaged(staged))) await target.remove(staged.key);
}

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
  const names = fileNames(spec, files);
  // A slice that was not recorded yet lies beside the others.
  const keys = [names.manifest, names.key(null), ...entries.map(({ staged }) => staged.key)];
  const retracted = await Promise.allSettled(
    entries.map(({ staged }) => retract(target, staged, !kept.has(staged.key))),
  );
  const published = retracted.some((result) => result.status === 'fulfilled' && result.value);
  const rest = await Promise.allSettled([
    ...(published && kept.size === 0 ? [target.remove(names.manifest)] : []),
    target.sweep(spec.runId, Number.POSITIVE_INFINITY, keys, []),
  ]);
  const failure = [...retracted, ...rest].find((result) => result.status === 'rejected');
  if (failure) throw failure.reason;
}

/**
 * A key holds this run's file only if publishing had begun; what else lies there is not ours to remove.
 * Resolves with whether it was removed.
 */
async function retract(target: FileTarget, staged: Staged, removable: boolean): Promise<boolean> {
  await target.discard(staged);
  if (!removable || !(await target.isStaged(staged))) return false;
  await target.remove(staged.key);
  return true;
}

import type { FileTarget } from './destinations/destination.ts';
import { fileNames } from './file-names.ts';
import { wantsManifest } from './manifest.ts';
import type { Ledger, LedgerEntry } from './outcome.ts';
import type { FileOptions, RunSpec } from './spec.ts';

export interface WithdrawPorts {
  readonly target: FileTarget;
  readonly files: FileOptions;
  readonly ledger: Pick<Ledger, 'withdraw' | 'previousKeys'>;
}

/**
 * Removes all that a run made: staged files, and files it published already. Keys that an earlier run of
 * the same output left here stay: they hold that run's rows, cut in the same way, and readers count on them. For runs that end
 * without an outcome (cancelled, also between two attempts; failed for good) and for attempts that must start afresh.
 *
 * The ledger's entries are marked first, so that a newer attempt does not go on with them; it takes them back itself. What
 * lies under a key is removed only if it is the very file of an entry: a newer attempt may have published its own by then. The
 * manifest goes before the files that it names. Every file is tried; the first error is thrown at the end, and the
 * call may be repeated. Throws `run_superseded` as soon as a newer attempt has the run.
 */
export async function withdraw(
  spec: Pick<RunSpec, 'runId' | 'interval' | 'model' | 'keySuffix' | 'destination'>,
  { files, ledger, target }: WithdrawPorts,
): Promise<void> {
  const kept = new Set(await ledger.previousKeys());
  const entries = await ledger.withdraw();
  const names = fileNames(spec, files);
  const failures: unknown[] = [];
  const tried = async <T>(deed: Promise<T>, otherwise: T): Promise<T> => {
    try {
      return await deed;
    } catch (error) {
      failures.push(error);
      return otherwise;
    }
  };

  const found = await Promise.all(entries.map((entry) => tried(discarded(target, entry), false)));
  const published = entries.filter(({ staged }, n) => found[n] === true && !kept.has(staged.key));
  const shared = [...kept].some((key) => names.manifestBeside(key) === names.manifest);
  if (published.length > 0 && !shared && wantsManifest(spec, files, entries.length)) {
    await ledger.withdraw();
    await tried(target.remove(names.manifest), undefined);
  }
  await Promise.all(published.map((entry) => tried(retract(target, entry), undefined)));
  await ledger.withdraw();
  // A slice that was not recorded yet lies beside the others.
  const keys = [names.manifest, names.key(null), ...entries.map(({ staged }) => staged.key)];
  await tried(target.sweep(spec.runId, Number.POSITIVE_INFINITY, keys, [], names.owns), undefined);
  if (failures.length > 0) throw failures[0];
}

/** Undoes the staging of an entry's file; resolves with whether it is published. */
async function discarded(target: FileTarget, { staged }: LedgerEntry): Promise<boolean> {
  await target.discard(staged);
  return target.isStaged(staged);
}

async function retract(target: FileTarget, { staged }: LedgerEntry): Promise<void> {
  if (await target.isStaged(staged)) await target.remove(staged.key);
}

import type { FileTarget } from './destinations/destination.ts';
import { fileNames } from './file-names.ts';
import { isManifestOf, wantsManifest } from './manifest.ts';
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
 * call may be repeated. Throws `run_superseded` as soon as a newer attempt has the run. Answers the entries whose files stay
 * under an earlier run's keys.
 */
export async function withdraw(
  spec: Pick<RunSpec, 'runId' | 'interval' | 'model' | 'keySuffix' | 'destination'>,
  { files, ledger, target }: WithdrawPorts,
): Promise<readonly LedgerEntry[]> {
  const previous = await ledger.previousKeys();
  const kept = new Set(await Promise.all(previous.map((key) => target.fileOf(key))));
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

  const visible = await Promise.all(entries.map((entry) => tried(discarded(target, entry), false)));
  const places = await Promise.all(entries.map(({ staged }) => target.fileOf(staged.key)));
  const published = entries.filter((_, n) => visible[n] && !kept.has(places[n] as string));
  const manifestFile = await target.fileOf(names.manifest);
  const beside = await Promise.all(previous.map((key) => target.fileOf(names.manifestBeside(key))));
  const shared = beside.includes(manifestFile);
  if (published.length > 0 && !shared && wantsManifest(spec, files, entries.length)) {
    await ledger.withdraw();
    await tried(removeManifest(target, names.manifest, spec.runId), undefined);
  }
  await Promise.all(published.map((entry) => tried(retract(target, entry), undefined)));
  await ledger.withdraw();
  // A slice that was not recorded yet lies beside the others.
  const keys = [names.manifest, names.key(null), ...entries.map(({ staged }) => staged.key)];
  await tried(target.sweep(spec.runId, Number.POSITIVE_INFINITY, keys, [], names.owns), undefined);
  if (failures.length > 0) throw failures[0];
  return entries.filter((_, n) => visible[n] && kept.has(places[n] as string));
}

/** Undoes the staging of an entry's file; resolves with whether it is published. */
async function discarded(target: FileTarget, { staged }: LedgerEntry): Promise<boolean> {
  await target.discard(staged);
  return target.isStaged(staged);
}

async function retract(target: FileTarget, { staged }: LedgerEntry): Promise<void> {
  if (await target.isStaged(staged)) await target.remove(staged.key);
}

/** Another export may have written its own there since. */
async function removeManifest(target: FileTarget, key: string, runId: string): Promise<void> {
  const found = await target.get(key);
  if (Buffer.isBuffer(found) && isManifestOf(found, [runId])) await target.remove(key);
}

import type { FileTarget, Staged } from './destinations/destination.ts';
import type { FileNames } from './file-names.ts';
import { isManifestOf } from './manifest.ts';
import type { ReplacedFile } from './outcome.ts';

/** What a run is to remove at its end: left by those that it replaces, and nowhere written over by its own. */
export interface Stale {
  readonly manifests: readonly StaleManifest[];
  readonly files: readonly StaleFile[];
}

interface StaleManifest {
  readonly key: string;
  /** The ids of the runs that may have written it. */
  readonly runs: readonly string[];
  readonly vouched: boolean;
}

interface StaleFile {
  readonly key: string;
  readonly receipts: readonly Staged[];
  readonly vouched: boolean;
}

/**
 * Of what the replaced runs left (`previous`), what is not under one of the run's `own` keys, however they are spelled. May be
 * asked again after a crash.
 */
export async function staleFiles(
  target: Pick<FileTarget, 'fileOf'>,
  names: Pick<FileNames, 'manifestBeside'>,
  previous: readonly ReplacedFile[],
  own: readonly string[],
): Promise<Stale> {
  const ours = new Set(await Promise.all(own.map((key) => target.fileOf(key))));
  const byFile = async (list: readonly (readonly [string, ReplacedFile])[]) => {
    const files = await Promise.all(list.map(async (one) => [await target.fileOf(one[0]), one] as const));
    const others = files.filter(([file]) => !ours.has(file));
    return [...Map.groupBy(others, ([file]) => file).values()].map((found) => found.map(([, one]) => one));
  };
  const listed = previous.filter((file) => file.listed);
  const manifests = await byFile(listed.map((file) => [names.manifestBeside(file.key), file]));
  const files = await byFile(previous.map((file) => [file.key, file]));
  return {
    manifests: manifests.map((found) => ({
      key: (found[0] as (typeof found)[0])[0],
      runs: found.flatMap(([, { of }]) => of?.runId ?? []),
      vouched: found.some(([, { of }]) => of === undefined),
    })),
    files: files.map((found) => ({
      key: (found[0] as (typeof found)[0])[0],
      receipts: found.flatMap(([, { of }]) => of?.staged ?? []),
      vouched: found.some(([, { of }]) => of === undefined),
    })),
  };
}

/**
 * Removes them, manifests before the files that they name. What another has written under such a key since, or what nothing
 * tells from that, stays and is answered in `left`. `runId` is the run that removes: an earlier attempt of it may have written a
 * manifest. Throws the target's errors; may be repeated.
 */
export async function removeStale(
  target: Pick<FileTarget, 'holds' | 'get' | 'remove'>,
  { manifests, files }: Stale,
  runId: string,
): Promise<{ readonly removed: number; readonly left: readonly string[] }> {
  const left: string[] = [];
  let removed = 0;
  for (const { key, runs, vouched } of manifests) {
    const found = vouched ? null : await target.get(key);
    if (vouched || (found && isManifestOf(found, [...runs, runId]))) await target.remove(key);
    else if (found) left.push(key);
  }
  for (const { key, receipts, vouched } of files) {
    const there = vouched ? 'this' : await target.holds(key, receipts);
    if (there === 'other') left.push(key);
    if (there !== 'this') continue;
    await target.remove(key);
    removed++;
  }
  return { removed, left };
}

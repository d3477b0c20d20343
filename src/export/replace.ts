import type { FileTarget } from './destinations/destination.ts';
import type { FileNames } from './file-names.ts';
import { isManifestOf } from './manifest.ts';
import type { Ledger, ReplacedFile } from './outcome.ts';

/** What a run is to remove at its end: left by those that it replaces, and nowhere written over by its own. */
export interface Stale {
  readonly manifests: readonly StaleManifest[];
  readonly files: readonly StaleFile[];
}

interface StaleManifest {
  readonly key: string;
  readonly vouched: boolean;
}

interface StaleFile extends StaleManifest {
  /** What the key names (FileTarget.fileOf). */
  readonly file: string;
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
  const byFile = async (list: readonly (readonly [string, ReplacedFile])[]): Promise<StaleFile[]> => {
    const files = await Promise.all(list.map(async (one) => [await target.fileOf(one[0]), one] as const));
    const others = files.filter(([file]) => !ours.has(file));
    return [...Map.groupBy(others, ([file]) => file)].map(([file, found]) => ({
      file,
      key: (found[0] as (typeof found)[0])[1][0],
      vouched: found.some(([, [, { vouched }]]) => vouched === true),
    }));
  };
  const listed = previous.filter((file) => file.listed);
  return {
    manifests: await byFile(listed.map((file) => [names.manifestBeside(file.key), file])),
    files: await byFile(previous.map((file) => [file.key, file])),
  };
}

/**
 * Removes them, manifests before the files that they name. What another has written under such a key since, or what nothing
 * tells from that, stays and is answered in `left`. Any run of the output may have written last, also one that was cancelled
 * over an earlier one's files, or an earlier attempt of this one: `ledger` knows them all. Throws the target's errors; may
 * be repeated.
 */
export async function removeStale(
  target: Pick<FileTarget, 'fileOf' | 'holds' | 'get' | 'remove'>,
  { manifests, files }: Stale,
  ledger: Pick<Ledger, 'marks'>,
): Promise<{ readonly removed: number; readonly left: readonly string[] }> {
  const left: string[] = [];
  let removed = 0;
  if (manifests.length + files.length === 0) return { removed, left };
  const { runIds, receipts } = await ledger.marks();
  const named = await Promise.all(
    receipts.map(async (staged) => [await target.fileOf(staged.key), staged] as const),
  );
  const receiptsOf = Map.groupBy(named, ([file]) => file);
  for (const { key, vouched } of manifests) {
    const found = vouched ? null : await target.get(key);
    if (vouched || (found && isManifestOf(found, runIds))) await target.remove(key);
    else if (found) left.push(key);
  }
  for (const { key, file, vouched } of files) {
    const known = receiptsOf.get(file)?.map(([, staged]) => staged) ?? [];
    const there = vouched ? 'this' : await target.holds(key, known);
    if (there === 'other') left.push(key);
    if (there !== 'this') continue;
    await target.remove(key);
    removed++;
  }
  return { removed, left };
}

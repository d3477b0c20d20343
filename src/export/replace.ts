import type { FileTarget, Staged } from './destinations/destination.ts';
import type { FileNames } from './file-names.ts';
import { isManifestOf, keysIn } from './manifest.ts';
import type { Ledger, ReplacedFile } from './outcome.ts';
import type { RunContext } from './ports.ts';

/** What a run is to remove at its end: left by those that it replaces, and nowhere written over by its own. */
interface Stale {
  readonly manifests: readonly StaleKey[];
  readonly files: readonly StaleFile[];
  /** All runs of the output: any of them may have written a manifest last. */
  readonly runIds: readonly string[];
}

interface StaleKey {
  readonly key: string;
  readonly vouched: boolean;
}

interface StaleFile extends StaleKey {
  readonly receipts: readonly Staged[];
  /** Whether a manifest of the output lists it. */
  readonly listed: boolean;
}

/** What lies in one place. */
export interface StaleAt {
  readonly target: Pick<FileTarget, 'get' | 'holds' | 'remove'>;
  readonly stale: Stale;
}

const NOTHING_STALE: Stale = { manifests: [], files: [], runIds: [] };

/** `staleFiles` of each place in which the run replaces something: its own, and where it would have written in earlier versions. */
export async function allStale(
  { former, ledger, names, target }: Pick<RunContext, 'former' | 'ledger' | 'names' | 'target'>,
  previous: readonly ReplacedFile[],
  own: readonly string[],
): Promise<StaleAt[]> {
  const here = { target, stale: await staleFiles(target, names, previous, own, ledger) };
  if (!former) return [here];
  const stale = await staleFiles(former.target, names, await former.replaced(), [], ledger);
  return [here, { target: former.target, stale }];
}

/**
 * Of what the replaced runs left (`previous`), what is not under one of the run's `own` keys, however they are spelled, and what
 * tells it from another export's. Any run of the output may have written last, also one that was cancelled over an earlier one's
 * files, or an earlier attempt of this one: `ledger` knows them all. To be asked before the run writes its manifest, which may
 * be over the older one; may be asked again after a crash. Throws the target's errors.
 */
async function staleFiles(
  target: Pick<FileTarget, 'fileOf' | 'get'>,
  names: Pick<FileNames, 'manifestBeside'>,
  previous: readonly ReplacedFile[],
  own: readonly string[],
  ledger: Pick<Ledger, 'marks'>,
): Promise<Stale> {
  const byFile = <T>(of: readonly T[], key: (one: T) => string) => groupedByFile(target, of, key);
  const ours = new Set(await Promise.all(own.map((key) => target.fileOf(key))));
  const others = ([file]: readonly [string, unknown]) => !ours.has(file);
  const vouched = (found: readonly ReplacedFile[]) => found.some((one) => one.vouched === true);
  const beside = ({ key }: ReplacedFile) => names.manifestBeside(key);
  const listed = previous.filter((file) => file.listed);
  const manifests = [...(await byFile(listed, beside))];
  const files = [...(await byFile(previous, ({ key }) => key))].filter(others);
  const stale = manifests.filter(others).map(([, found]) => ({
    key: beside(found[0] as ReplacedFile),
    vouched: vouched(found),
  }));
  if (stale.length + files.length === 0) return NOTHING_STALE;

  const { runIds, receipts } = await ledger.marks();
  const receiptsOf = await byFile(receipts, ({ key }) => key);
  const unsure = manifests.filter(([, found]) => !vouched(found));
  const named = await Promise.all(
    unsure.map(async ([, found]) => {
      const body = await target.get(beside(found[0] as ReplacedFile));
      return Buffer.isBuffer(body) && isManifestOf(body, runIds) ? keysIn(body) : [];
    }),
  );
  const inManifests = await byFile(named.flat(), (key) => key);
  return {
    manifests: stale,
    files: files.map(([file, found]) => ({
      key: (found[0] as ReplacedFile).key,
      vouched: vouched(found),
      receipts: receiptsOf.get(file) ?? [],
      listed: inManifests.has(file),
    })),
    runIds,
  };
}

async function groupedByFile<T>(
  target: Pick<FileTarget, 'fileOf'>,
  list: readonly T[],
  key: (one: T) => string,
): Promise<Map<string, T[]>> {
  const files = await Promise.all(list.map((one) => target.fileOf(key(one))));
  return Map.groupBy(list, (_, n) => files[n] as string);
}

/** Whether there is anything to remove. */
export const hasStale = (all: readonly StaleAt[]): boolean =>
  all.some(({ stale: { manifests, files } }) => manifests.length + files.length > 0);

interface Removed {
  readonly removed: number;
  readonly left: readonly string[];
}

/** `removeStaleAt` of all places. */
export async function removeStale(all: readonly StaleAt[]): Promise<Removed> {
  const done: Removed[] = [];
  for (const one of all) done.push(await removeStaleAt(one));
  return {
    removed: done.reduce((sum, { removed }) => sum + removed, 0),
    left: done.flatMap(({ left }) => left),
  };
}

/**
 * Removes them, manifests before the files that they name. What another has written under such a key since, or what nothing
 * tells from that, or may not be read, stays and is answered in `left`. Throws the target's errors; may be repeated.
 */
async function removeStaleAt({ target, stale }: StaleAt): Promise<Removed> {
  const { manifests, files, runIds } = stale;
  const left: string[] = [];
  let removed = 0;
  for (const { key, vouched } of manifests) {
    const found = vouched ? null : await target.get(key);
    const ours = Buffer.isBuffer(found) && isManifestOf(found, runIds);
    if (vouched || ours) await target.remove(key);
    else if (found) left.push(key);
  }
  for (const { key, receipts, listed, vouched } of files) {
    const there = vouched ? 'this' : await target.holds(key, receipts, listed);
    if (there === 'other') left.push(key);
    if (there !== 'this') continue;
    await target.remove(key);
    removed++;
  }
  return { removed, left };
}

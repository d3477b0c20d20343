import { countRun, countSlices } from './count.ts';
import type { Duplicates } from './models/rows.ts';
import type { LedgerEntry } from './outcome.ts';
import type { RunContext } from './ports.ts';
import { bytesPerRow } from './sample.ts';
import { keyOf } from './slice-key.ts';
import { contains, remaining } from './slices.ts';
import type { Slice, Tally } from './spec.ts';

/** A slice to export and what is in it at the source. */
export interface Work {
  readonly slice: Slice;
  readonly expected: Tally;
}

export interface RunPlan {
  /** Everything the run delivers, counted at the source before anything is written. */
  readonly source: Tally;
  readonly duplicates: Duplicates;
  /** What is left besides the ledger's entries; no slice is empty. */
  readonly work: readonly Work[];
}

const MIB = 1024 * 1024;
/** Slices are sized a little below the limit: hashing spreads them by a few per cent. */
const FILL = 0.9;
const MOST_SLICES = 10_000;

/**
 * Counts the run, and cuts what `done` leaves of it into slices that fit into one file each. `lost` slices stay as
 * they were cut, because an earlier attempt may have published them under their keys. So do those of a run that is repeated,
 * unless that would make far fewer files than wanted: ended in the middle of publishing, the repeat leaves files of both behind.
 */
export async function planSlices(
  context: RunContext,
  done: readonly LedgerEntry[],
  lost: readonly Slice[],
): Promise<RunPlan> {
  const { tally: source, duplicates } = context.counted
    ? ({ tally: context.counted, duplicates: 'none' } as const)
    : await countRun(context);
  if (source.rows === 0) return { source, duplicates, work: [] };
  const known = [...done.map(({ slice }) => slice), ...lost];
  const wanted = await slicesFor(context, source.rows);
  const repeated = await repeatedSlices(context, known, wanted);
  const slices = [...lost, ...repeated, ...remaining([...known, ...repeated], wanted)];
  const [only] = slices;
  if (only?.of === 1) return { source, duplicates, work: [{ slice: only, expected: source }] };
  return { source, duplicates, work: await workOf(context, slices, duplicates) };
}

async function repeatedSlices(
  context: RunContext,
  known: readonly Slice[],
  wanted: number,
): Promise<readonly Slice[]> {
  // Without a size limit there is one file, whose key no numbered one has.
  if (context.files.maxFileSizeMb === null) return [];
  const previous = (await context.ledger.previousSlices())
    .filter(({ slice, key }) => keyOf(context, slice) === key)
    .map(({ slice }) => slice);
  const meet = (one: Slice) => (other: Slice) => contains(one, other) || contains(other, one);
  // An earlier attempt may have begun with a cut of its own.
  if (wanted > 2 * previous.length || !known.every((one) => previous.some(meet(one)))) return [];
  return previous.filter((slice) => !known.some(meet(slice)));
}

/** The slices with what is in each; empty ones are left out, so that no empty file is written. */
export async function workOf(
  context: RunContext,
  slices: readonly Slice[],
  duplicates: Duplicates,
): Promise<Work[]> {
  if (slices.length === 0) return [];
  const tallies = await countSlices(context, slices, duplicates);
  return [...tallies].map(([slice, expected]) => ({ slice, expected }));
}

async function slicesFor(context: RunContext, rows: number): Promise<number> {
  const { maxFileSizeMb } = context.files;
  if (maxFileSizeMb === null) return 1;
  const bytes = rows * (await bytesPerRow(context, rows));
  return Math.max(1, Math.min(MOST_SLICES, rows, Math.ceil(bytes / (maxFileSizeMb * MIB * FILL))));
}

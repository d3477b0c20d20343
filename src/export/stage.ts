import { SluiceError } from '../errors/error.ts';
import { concurrently } from './concurrently.ts';
import type { Duplicates } from './models/rows.ts';
import type { LedgerEntry } from './outcome.ts';
import { type Work, workOf } from './plan.ts';
import type { RunContext } from './ports.ts';
import { runLog } from './run-log.ts';
import { keyOf, stageSlice } from './slice.ts';
import { halves } from './slices.ts';

/** Slices at once: while one waits for its file system or store, the other keeps the engine busy. */
const PARALLEL = 2;
/** A slice of so few rows that still does not fit will not fit by halving either. */
const LEAST_ROWS_TO_SPLIT = 1_000;

/**
 * Stages all slices and notes each in the ledger as soon as it is safe. A slice that is too much for the
 * warehouse's memory, or whose file is over the size limit, is done again as two halves. Resolves with the
 * new entries; on failure waits until nothing of it runs any more.
 */
export async function stageAll(
  context: RunContext,
  work: readonly Work[],
  duplicates: Duplicates,
  done: (entry: LedgerEntry) => void,
): Promise<void> {
  await concurrently(PARALLEL, work, context.signal, async (item, signal) => {
    const running = { ...context, signal };
    context.step('slice-started');
    const entry = await stageOrSplit(running, item, duplicates);
    if (entry === null) return workOf(running, halves(item.slice), duplicates);
    context.step('slice-staged');
    await context.ledger.record(entry);
    context.step('slice-recorded');
    context.observer.log('INFO', runLog.fileWritten(entry.staged.key, entry.rows, entry.bytes));
    done(entry);
    return [];
  });
}

/** Null = to be split; nothing of it is left behind. */
async function stageOrSplit(
  context: RunContext,
  work: Work,
  duplicates: Duplicates,
): Promise<LedgerEntry | null> {
  const splittable = work.expected.rows >= LEAST_ROWS_TO_SPLIT;
  const key = keyOf(context, work.slice);
  try {
    const entry = await stageSlice(context, work, duplicates);
    const limitMb = context.files.maxFileSizeMb;
    if (limitMb === null || !splittable || entry.bytes <= limitMb * 1024 * 1024) return entry;
    context.observer.log('INFO', runLog.splitForSize(key, entry.bytes, limitMb));
    await context.target.discard(entry.staged);
    return null;
  } catch (error) {
    if (!splittable || !(error instanceof SluiceError) || error.code !== 'warehouse_memory') throw error;
    context.observer.log('WARNING', runLog.splitForMemory(key));
    return null;
  }
}

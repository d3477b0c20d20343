import { SluiceError } from '../errors/error.ts';
import { concurrently } from './concurrently.ts';
import type { Duplicates } from './models/rows.ts';
import { type Work, workOf } from './plan.ts';
import type { RunContext } from './ports.ts';
import { runLog } from './run-log.ts';
import { keyOf, type StagedSlice, stageSlice } from './slice.ts';
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
  done: (staged: StagedSlice) => void,
): Promise<void> {
  await concurrently(PARALLEL, work, context.signal, async (item, signal) => {
    const running = { ...context, signal };
    context.step('slice-started');
    const staged = await stageOrSplit(running, item, duplicates);
    if (staged === null) return workOf(running, halves(item.slice), duplicates);
    const { entry } = staged;
    context.step('slice-staged');
    await context.ledger.record(entry);
    context.step('slice-recorded');
    context.observer.log('INFO', runLog.fileWritten(entry.staged.key, entry.rows, entry.bytes));
    done(staged);
    return [];
  });
}

/** Null = to be split; nothing of it is left behind. */
async function stageOrSplit(
  context: RunContext,
  work: Work,
  duplicates: Duplicates,
): Promise<StagedSlice | null> {
  const splittable = work.expected.rows >= LEAST_ROWS_TO_SPLIT;
  const key = keyOf(context, work.slice);
  try {
    const staged = await stageSlice(context, work, duplicates);
    const { entry } = staged;
    const limitMb = context.files.maxFileSizeMb;
    if (limitMb === null || !splittable || entry.bytes <= limitMb * 1024 * 1024) return staged;
    context.observer.log('INFO', runLog.splitForSize(key, entry.bytes, limitMb));
    await context.target.discard(entry.staged);
    return null;
  } catch (error) {
    if (!splittable || !(error instanceof SluiceError) || error.code !== 'warehouse_memory') throw error;
    context.observer.log('WARNING', runLog.splitForMemory(key));
    return null;
  }
}

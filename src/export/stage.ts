import { SluiceError } from '../errors/error.ts';
import { concurrently } from './concurrently.ts';
import type { Duplicates } from './models/rows.ts';
import { type Work, workOf } from './plan.ts';
import type { RunContext } from './ports.ts';
import { runLog } from './run-log.ts';
import { type StagedSlice, stageSlice } from './slice.ts';
import { keyOf } from './slice-key.ts';
import { halves, setsOf } from './slices.ts';
import { stageTogether } from './together.ts';

/** Scans at once: while one waits for its file system or store, the other keeps the engine busy. */
const PARALLEL = 2;
/** A slice of so few rows that still does not fit will not fit by halving either. */
const LEAST_ROWS_TO_SPLIT = 1_000;
/** Files of one scan. Each one of Parquet holds a row group in memory, about 100 MB of events. */
const FILES_A_SCAN = { Parquet: 4, LineAsString: 8 } as const;

/**
 * Stages all slices and notes each in the ledger as soon as it is safe. What is too much for the warehouse's memory is
 * done again in smaller pieces, slices together one by one, one slice as two halves; so is a slice whose file is over
 * the size limit, and one that has not begun when others show that it will be. Resolves when all is staged; on failure waits
 * until nothing of it runs any more.
 */
export async function stageAll(
  context: RunContext,
  work: readonly Work[],
  duplicates: Duplicates,
  done: (staged: StagedSlice) => void,
): Promise<void> {
  const most = FILES_A_SCAN[context.format.engineFormat];
  const size = sizeLimit(context);
  const first = setsOf(work, most, PARALLEL);
  await concurrently(PARALLEL, first, context.signal, async (set, signal) => {
    const running = { ...context, signal };
    const tooLarge = set.filter(size.isForeseen);
    const settle = async (item: Work, staged: StagedSlice) => {
      if (await size.isExceeded(item, staged)) tooLarge.push(item);
      else await note(running, staged, done);
    };
    context.step('slice-started');
    const fitting = set.filter((item) => !tooLarge.includes(item));
    const left = await stageSet(running, fitting, duplicates, settle);
    // Together: counting reads all of the run's uuids and writing all of its rows, for two slices or for many.
    const halved = [...tooLarge, ...left.halve].flatMap(({ slice }) => halves(slice));
    return [...left.again, ...setsOf(await workOf(running, halved, duplicates), most, 1)];
  });
}

/** What is still to do of a set: in smaller sets, or as halves. */
interface Left {
  readonly again: readonly Work[][];
  readonly halve: readonly Work[];
}

const NOTHING_LEFT: Left = { again: [], halve: [] };

async function stageSet(
  context: RunContext,
  set: readonly Work[],
  duplicates: Duplicates,
  settle: (item: Work, staged: StagedSlice) => Promise<void>,
): Promise<Left> {
  const settled = new Set<Work>();
  const noted = async (item: Work, staged: StagedSlice) => {
    await settle(item, staged);
    settled.add(item);
  };
  const [only] = set;
  try {
    if (set.length > 1) {
      const together = await stageTogether(context, set, duplicates, noted);
      return together ? NOTHING_LEFT : { ...NOTHING_LEFT, again: set.map((item) => [item]) };
    }
    if (only) await noted(only, await stageSlice(context, only, duplicates));
    return NOTHING_LEFT;
  } catch (error) {
    if (!(error instanceof SluiceError) || error.code !== 'warehouse_memory') throw error;
    const rest = set.filter((item) => !settled.has(item));
    if (set.length > 1) return { ...NOTHING_LEFT, again: rest.map((item) => [item]) };
    if (!rest.every(splittable)) throw error;
    for (const { slice } of rest) {
      context.observer.log('WARNING', runLog.splitForMemory(keyOf(context, slice)));
    }
    return { ...NOTHING_LEFT, halve: rest };
  }
}

const splittable = ({ expected }: Work): boolean => expected.rows >= LEAST_ROWS_TO_SPLIT;

/** The limit of a file's size, for slices that can be halved, and what the files that were over it tell of the others. */
function sizeLimit(context: RunContext) {
  const limitMb = context.files.maxFileSizeMb ?? Number.POSITIVE_INFINITY;
  let bytesPerRow = 0;
  /** Tells the log, too. */
  const isOver = (item: Work, bytes: number): boolean => {
    if (!splittable(item) || bytes <= limitMb * 1024 * 1024) return false;
    context.observer.log('INFO', runLog.splitForSize(keyOf(context, item.slice), bytes, limitMb));
    return true;
  };
  return {
    /** Slices are classes of a hash: rows of one take as much as those of another, but for a few per cent. */
    isForeseen: (item: Work): boolean => isOver(item, Math.round(item.expected.rows * bytesPerRow)),
    /** Takes the staged file back when it is over the limit. */
    isExceeded: async (item: Work, { entry }: StagedSlice): Promise<boolean> => {
      if (!isOver(item, entry.bytes)) return false;
      bytesPerRow = Math.max(bytesPerRow, entry.bytes / entry.rows);
      await context.target.discard(entry.staged);
      return true;
    },
  };
}

async function note(
  context: RunContext,
  staged: StagedSlice,
  done: (staged: StagedSlice) => void,
): Promise<void> {
  const { entry } = staged;
  context.step('slice-staged');
  try {
    await context.ledger.record(entry);
  } catch (error) {
    // Cancelled or taken over meanwhile: nobody will know of this file.
    const over = error instanceof SluiceError && ['run_cancelled', 'run_superseded'].includes(error.code);
    if (over) await context.target.discard(entry.staged).catch(() => {});
    throw error;
  }
  context.step('slice-recorded');
  context.observer.log('INFO', runLog.fileWritten(entry.staged.key, entry.rows, entry.bytes));
  done(staged);
}

import type { RunContext } from './ports.ts';
import { bytesPerRow } from './sample.ts';
import { ROW_BYTES } from './spool.ts';

/** Looking at a sample first takes a tenth of a second: nothing beside writing so many rows. */
const ROWS_TO_SAMPLE = 4_000_000;

/** Below such a size limit the estimate decides nothing: parts have their least size either way. */
const LIMIT_TO_SAMPLE = ROWS_TO_SAMPLE * ROW_BYTES;

/**
 * About how many bytes a file of `rows` rows will have, rather more than fewer, and never more than its size limit. Memory follows
 * from it: a limit far above the data is no reason for large parts. Throws the warehouse's errors.
 */
export async function expectedBytes(
  context: RunContext,
  rows: number,
  sample: typeof bytesPerRow = bytesPerRow,
): Promise<number> {
  const { maxFileSizeMb } = context.files;
  const limit = maxFileSizeMb === null ? Number.POSITIVE_INFINITY : maxFileSizeMb * 1024 * 1024;
  if (rows < ROWS_TO_SAMPLE) return Math.min(limit, rows * ROW_BYTES);
  return limit <= LIMIT_TO_SAMPLE ? limit : Math.min(limit, rows * (await sample(context, rows)));
}

import type { RunContext } from './ports.ts';
import { bytesPerRow } from './sample.ts';
import { ROW_BYTES } from './spool.ts';

/** Looking at a sample first takes a tenth of a second: nothing beside writing so many rows. */
const ROWS_TO_SAMPLE = 4_000_000;

/** About how many bytes a file of `rows` rows will have, rather more than fewer. Throws the warehouse's errors. */
export async function expectedBytes(
  context: RunContext,
  rows: number,
  sample: typeof bytesPerRow = bytesPerRow,
): Promise<number> {
  const { maxFileSizeMb } = context.files;
  if (maxFileSizeMb !== null) return maxFileSizeMb * 1024 * 1024;
  return rows * (rows < ROWS_TO_SAMPLE ? ROW_BYTES : await sample(context, rows));
}

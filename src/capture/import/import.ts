import type { Warehouse } from '../../warehouse/warehouse.ts';
import type { Clock } from '../../work/clock.ts';
import { type EventRow, encodeRows } from '../rows.ts';
import type { Stamps } from '../stamps.ts';
import { fileRows } from './file.ts';
import { publish } from './publish.ts';
import { BadRow, toEventRow } from './row.ts';
import { createStage, type Stage } from './stage.ts';

export interface ImportPorts {
  readonly warehouse: Warehouse;
  readonly clock: Clock;
  readonly stamps: Stamps;
  /** Rows stored by one insert, with one stamp. Default: half a million. */
  readonly rowsPerSlice?: number;
}

export interface ImportOptions {
  readonly teamId: number;
  /** Read and check everything, store nothing. */
  readonly dryRun: boolean;
  /** Store the good rows of a file that has bad ones; else nothing of it is stored. */
  readonly skipBad: boolean;
  /** Bytes of the file read so far and rows seen. */
  onProgress(bytesRead: number, rows: number): void;
  /** Once all is read: rows looked at for what is not there yet, of how many, and events stored so far. */
  onStored?(rows: number, of: number, stored: number): void;
  /** Stops between two rows, or between two inserts, and tidies up. */
  readonly signal?: AbortSignal;
}

export interface ImportResult {
  /** Rows that are events. */
  readonly good: number;
  /** Events that were not there yet. */
  readonly stored: number;
  readonly bad: number;
  /** It was stopped before the end; the same import again stores the rest. */
  readonly stopped: boolean;
  /** The first bad rows, with their line numbers. */
  readonly examples: readonly { readonly line: number; readonly reason: string }[];
}

const ROWS_PER_BLOCK = 10_000;
const BYTES_PER_BLOCK = 16 * 1024 * 1024;
const MAX_EXAMPLES = 20;

/** An insert of so many takes seconds, far less than processes wait for each other's inserts. */
const ROWS_PER_SLICE = 500_000;

/**
 * Brings the events of one file into `events`, as arriving now. All of the file's good rows or, when
 * one is bad and `skipBad` is off, none. Events that are there already (same uuid, event, distinct id
 * and day) are not stored again, so an import that was interrupted can simply be repeated.
 */
export async function importFile(
  path: string,
  options: ImportOptions,
  ports: ImportPorts,
): Promise<ImportResult> {
  const { warehouse, clock, stamps, rowsPerSlice = ROWS_PER_SLICE } = ports;
  const { teamId, signal, onStored = () => undefined } = options;
  const stage = options.dryRun ? null : await createStage(warehouse, clock);
  try {
    const read = await readInto(stage, path, options);
    const keep = !read.stopped && (read.bad === 0 || options.skipBad);
    if (!stage || !keep || read.good === 0) return { ...read, stored: 0 };
    const { table } = stage;
    const order = { warehouse, table, teamId, stamps, rowsPerSlice, signal, onStored };
    const { stored, whole } = await publish(order);
    return { ...read, stored, stopped: !whole };
  } finally {
    await stage?.drop();
  }
}

async function readInto(stage: Stage | null, path: string, options: ImportOptions) {
  const examples: { line: number; reason: string }[] = [];
  let block: EventRow[] = [];
  let blockBytes = 0;
  let good = 0;
  let bad = 0;
  const flush = async () => {
    if (stage && block.length > 0) await stage.insert(encodeRows(options.teamId, block));
    block = [];
    blockBytes = 0;
  };
  for await (const { number, row, bytesRead } of fileRows(path)) {
    if (options.signal?.aborted) return { good, bad, examples, stopped: true };
    const event = eventOf(options.teamId, row);
    if (event instanceof BadRow) {
      bad++;
      if (examples.length < MAX_EXAMPLES) examples.push({ line: number, reason: event.message });
      continue;
    }
    good++;
    block.push(event);
    blockBytes += event.properties.length + event.personProperties.length;
    if (block.length < ROWS_PER_BLOCK && blockBytes < BYTES_PER_BLOCK) continue;
    // Once it is certain that nothing will be stored, the rest is only checked.
    if (bad > 0 && !options.skipBad) block = [];
    await flush();
    options.onProgress(bytesRead, good + bad);
  }
  await flush();
  return { good, bad, examples, stopped: false };
}

function eventOf(teamId: number, row: Parameters<typeof toEventRow>[1] | BadRow): EventRow | BadRow {
  if (row instanceof BadRow) return row;
  try {
    return toEventRow(teamId, row);
  } catch (error) {
    if (error instanceof BadRow) return error;
    throw error;
  }
}

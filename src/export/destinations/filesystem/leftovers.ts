import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, onDisk } from './disk-error.ts';

/**
 * Files in the making lie beside their final place, hidden by a leading dot, so that publishing is one
 * rename on one file system. The name tells whose they are.
 */
export function stagingName(name: string, runId: string, attempt: number): string {
  return `.${name}.${runId}.${attempt}.partial`;
}

/** A small object in the making, written and renamed within one call. */
export function puttingName(name: string, random: () => number): string {
  return `.${name}.${Math.floor(random() * 2 ** 48).toString(16)}.put.partial`;
}

/** A put takes milliseconds; one this old belongs to a process that died within it. */
const DEAD_PUT_MS = 3_600_000;

export interface SweepOrder {
  readonly runId: string;
  /** Attempts before this one are over; Infinity = all are. */
  readonly attempt: number;
  /** Final names in this directory that are the run's own. */
  readonly names: ReadonlySet<string>;
  /** Names in this directory that somebody will still publish. */
  readonly keep: ReadonlySet<string>;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Removes what finished attempts of the run, and dead puts of anyone, left in one directory. */
export async function sweepDirectory(directory: string, order: SweepOrder): Promise<void> {
  for (const name of await namesIn(directory)) {
    if (order.keep.has(name)) continue;
    if (staleStaging(name, order) || (await deadPut(directory, name, order))) {
      await onDisk(`leftover ${name}`, () => rm(join(directory, name), { force: true }));
    }
  }
}

function staleStaging(name: string, order: SweepOrder): boolean {
  const match = /\.([^.]+)\.(\d+)\.partial$/.exec(name);
  return name.startsWith('.') && match?.[1] === order.runId && Number(match[2]) < order.attempt;
}

/** Once all attempts of a run are over, so are all puts of its own names; nobody knows about those of others. */
async function deadPut(directory: string, name: string, order: SweepOrder): Promise<boolean> {
  const [, final] = /^\.(.+)\.[^.]+\.put\.partial$/.exec(name) ?? [];
  if (final === undefined) return false;
  if (order.attempt === Number.POSITIVE_INFINITY && order.names.has(final)) return true;
  const info = await stat(join(directory, name)).catch(() => null);
  return info !== null && order.now - info.mtimeMs > DEAD_PUT_MS;
}

async function namesIn(directory: string): Promise<string[]> {
  return await onDisk('a directory of the export', () =>
    readdir(directory).catch((error) => {
      if (errnoOf(error) === 'ENOENT') return [];
      throw error;
    }),
  );
}

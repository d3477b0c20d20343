import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunRow } from '../../database/tables.ts';
import type { Clock } from '../../work/clock.ts';
import type { Db } from '../ports.ts';
import type { DownloadSettings } from './settings.ts';

export interface ExpiryPorts {
  readonly db: Db;
  readonly clock: Clock;
  readonly downloads: Pick<DownloadSettings, 'root' | 'keepSeconds'>;
}

/** When the files of a run go, milliseconds since the epoch. */
export function expiresAt(run: Pick<RunRow, 'finished_at'>, keepSeconds: number): number {
  return (run.finished_at?.getTime() ?? 0) + keepSeconds * 1000;
}

/** A run that failed or was cancelled clears up after itself; what is left of it after this long, nobody will. */
const LEFTOVERS_MS = 3_600_000;
const AT_ONCE = 500;
const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/;

/**
 * Removes the files of downloads whose time is over from this process's disk, and what ended runs left. Goes by the
 * directories it finds, so that nothing is forgotten after a crash, whichever process wrote it; a directory that is
 * no known run's is not touched. Returns how many were removed.
 */
export async function removeExpired(ports: ExpiryPorts): Promise<number> {
  const names = (await readdir(ports.downloads.root).catch(() => [])).filter((name) => UUID.test(name));
  let removed = 0;
  for (let at = 0; at < names.length; at += AT_ONCE) {
    const ids = names.slice(at, at + AT_ONCE);
    const runs = await ports.db
      .selectFrom('batch_export_runs')
      .select(['id', 'status', 'finished_at'])
      .where('id', 'in', ids)
      .execute();
    for (const run of runs.filter((each) => isOver(ports, each))) {
      await rm(join(ports.downloads.root, run.id), { recursive: true, force: true });
      removed += 1;
    }
  }
  return removed;
}

function isOver({ clock, downloads }: ExpiryPorts, run: Pick<RunRow, 'status' | 'finished_at'>): boolean {
  if (run.finished_at === null) return false;
  const keepSeconds = run.status === 'Completed' ? downloads.keepSeconds : LEFTOVERS_MS / 1000;
  return expiresAt(run, keepSeconds) <= clock.now();
}

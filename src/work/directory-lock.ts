import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { SluiceError } from '../errors/error.ts';
import { inDataDirectory } from './data-directory.ts';
import { makeDirectory } from './make-directory.ts';

/** Held while a process owns a directory. */
export interface DirectoryLock {
  release(): void;
}

interface Holder {
  readonly pid: number;
  /** Start time of the process, so that a reused pid does not look like the old holder. */
  readonly started: string;
}

/**
 * Takes `file` as a lock for this process, or throws `data_dir_locked` naming the process that holds
 * it, or `data_dir_unwritable`. A holder that died (kill -9, power loss) does not count: its file is taken over. Node has no
 * flock, hence pid and start time; link(2) makes taking it atomic.
 */
export function lockDirectory(file: string): DirectoryLock {
  const mine: Holder = { pid: process.pid, started: startTime(process.pid) ?? '' };
  const candidate = `${file}.${process.pid}`;
  try {
    inDataDirectory(dirname(file), () => {
      makeDirectory(dirname(file));
      writeFileSync(candidate, JSON.stringify(mine));
    });
    for (let attempt = 0; attempt < 10; attempt++) {
      if (link(candidate, file)) return { release: () => rmSync(file, { force: true }) };
      const holder = read(file);
      if (holder && isAlive(holder)) throw locked(file, holder);
      takeAway(file, holder);
    }
    throw new SluiceError('data_dir_locked');
  } finally {
    removeQuietly(candidate);
  }
}

/** It may not be there, nor the directory. */
function removeQuietly(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {}
}

function locked(file: string, holder: Holder): SluiceError {
  return new SluiceError('data_dir_locked', {
    detail:
      `The data directory ${dirname(file)} is in use by another Sluice process (pid ${holder.pid}). ` +
      'Stop that process, or start this one with another --data-dir.',
  });
}

function link(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function read(file: string): Holder | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Holder;
  } catch {
    return null;
  }
}

/** Renames the dead holder's file away; of two processes doing so only one removes what it read. */
function takeAway(file: string, dead: Holder | null): void {
  const aside = `${file}.stale.${process.pid}`;
  try {
    renameSync(file, aside);
  } catch {
    return;
  }
  const moved = read(aside);
  const unchanged = moved?.pid === dead?.pid && moved?.started === dead?.started;
  if (!unchanged) link(aside, file);
  rmSync(aside, { force: true });
}

function isAlive(holder: Holder): boolean {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const stat = statOf(holder.pid);
  // Dead, and not yet reaped: in a container whose first process reaps nobody, for ever. While threads of it are left,
  // its files are open and the engine's own lock is held.
  if (stat?.[0] === 'Z' && Number(stat[17]) <= 1) return false;
  const started = stat?.[19];
  return started === undefined || holder.started === '' || started === holder.started;
}

/** Clock ticks since boot at which the process started; null where there is no /proc. */
function startTime(pid: number): string | null {
  return statOf(pid)?.[19] ?? null;
}

/** Fields 3 (state) to 52 of /proc/pid/stat; 20, the number of threads, is at index 17, 22, the start time, at index 19. */
function statOf(pid: number): string[] | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}

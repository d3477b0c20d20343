import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { SluiceError } from '../errors/error.ts';
import { inDataDirectory } from './data-directory.ts';
import { lockByKernel } from './kernel-lock.ts';
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
 * it, or `data_dir_unwritable`. A holder that died (kill -9, power loss) does not count: its file is taken over.
 *
 * Twice over. The kernel's lock, on a file beside it, is also seen by processes in other containers, whose pids mean
 * nothing here. Where the file system has none, and for the holder's name, there are pid and start time; link(2) makes
 * taking that atomic.
 */
export function lockDirectory(file: string): DirectoryLock {
  const mine: Holder = { pid: process.pid, started: startTime(process.pid) ?? '' };
  const candidate = `${file}.${process.pid}`;
  let release = (): void => {};
  try {
    inDataDirectory(dirname(file), () => {
      makeDirectory(dirname(file));
      writeFileSync(candidate, JSON.stringify(mine));
    });
    const kernel = lockByKernel(`${file}.kernel`);
    if (kernel === 'taken') throw locked(file, read(file));
    if (kernel !== 'unknown') release = kernel.release;
    linkAs(file, candidate);
    return {
      release: () => {
        rmSync(file, { force: true });
        release();
      },
    };
  } catch (error) {
    release();
    throw error;
  } finally {
    removeQuietly(candidate);
  }
}

function linkAs(file: string, candidate: string): void {
  for (let attempt = 0; attempt < 10; attempt++) {
    if (link(candidate, file)) return;
    const holder = read(file);
    if (holder && isAlive(holder)) throw locked(file, holder);
    takeAway(file, holder);
  }
  throw locked(file, null);
}

/** It may not be there, nor the directory. */
function removeQuietly(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {}
}

function locked(file: string, holder: Holder | null): SluiceError {
  const who = !holder ? '' : isAlive(holder) ? ` (pid ${holder.pid})` : ', in another container perhaps';
  return new SluiceError('data_dir_locked', {
    detail:
      `The data directory ${dirname(file)} is in use by another Sluice process${who}. ` +
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

import { DatabaseSync } from 'node:sqlite';

/** Held until it is released or the process is gone. */
export interface KernelLock {
  release(): void;
}

const SQLITE_BUSY = 5;

/**
 * Takes `file`, made if it is missing and never removed, as a lock that the kernel knows of: it is seen from every
 * container and gone with the process, however that ends. Node has neither flock nor fcntl; SQLite in Node has. `taken`
 * while another process, or another caller in this one, holds it; `unknown` where the file system has no such locks or
 * refuses the file.
 */
export function lockByKernel(file: string): KernelLock | 'taken' | 'unknown' {
  let database: DatabaseSync | null = null;
  try {
    database = new DatabaseSync(file, { timeout: 0 });
    // Nothing is ever written: the file stays empty, and needs no journal beside it.
    database.exec('PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE');
    const held = database;
    return { release: () => held.close() };
  } catch (error) {
    if (database?.isOpen) database.close();
    return (error as { errcode?: number }).errcode === SQLITE_BUSY ? 'taken' : 'unknown';
  }
}

import { mkdir, readdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';

/** What stays free for everything else on the disk. */
const RESERVE_BYTES = 1024 ** 3;
/** Twice what a row of plain JSON Lines takes in most projects. */
export const ROW_BYTES = 4096;

/**
 * Where the engine may write a file of about `rows` rows that is sent on from there, or null when the disk
 * has no room for that.
 */
export async function spoolPath(directory: string, name: string, rows: number): Promise<string | null> {
  if ((await freeBytes(directory)) < RESERVE_BYTES + rows * ROW_BYTES) return null;
  const path = join(directory, name);
  await rm(path, { force: true });
  return path;
}

/** So little room is none: the engine was cut short, which it does not always tell. */
const NO_ROOM_BYTES = 65_536;

/** Whether the disk of `directory` has no room left for anything. */
export async function isFull(directory: string): Promise<boolean> {
  return (await freeBytes(directory)) < NO_ROOM_BYTES;
}

async function freeBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}

/** Makes the directory, and removes what a process that was killed left in it. Only for the directory's owner. */
export async function emptySpool(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  for (const name of await readdir(directory))
    await rm(join(directory, name), { recursive: true, force: true });
}

import { rm, statfs } from 'node:fs/promises';
import { SluiceError } from '../../../errors/error.ts';
import { onDisk } from './disk-error.ts';

/**
 * For a file that the warehouse wrote: chDB 26.7 reports success when the disk fills up in the middle of
 * `INSERT INTO FUNCTION file`, and leaves a truncated file and not one free block (measured on tmpfs, all formats).
 * Removes the file then and throws `destination_full`. What slips through, because something else made room in
 * between, is found by the run's verification.
 */
export async function refuseFullDisk(directory: string, path: string, what: string): Promise<void> {
  const { bavail, bfree } = await onDisk(what, () => statfs(directory));
  // The last blocks of some file systems are for root alone.
  const free = process.getuid?.() === 0 ? bfree : bavail;
  if (free > 0) return;
  await rm(path, { force: true }).catch(() => {});
  throw new SluiceError('destination_full', { detail: `${what}: the disk is full.` });
}

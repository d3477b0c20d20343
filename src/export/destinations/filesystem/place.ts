import { lstat, mkdir, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { SluiceError } from '../../../errors/error.ts';
import { errnoOf, onDisk } from './disk-error.ts';

/** Where a key lies: `directory` is free of symbolic links and inside the root at the time of asking. */
export interface Place {
  readonly directory: string;
  readonly name: string;
  readonly path: string;
}

/** What makes a key unusable as a path below the root, in words; null = nothing. */
export function keyProblem(key: string): string | null {
  const parts = partsOf(key);
  if (key.includes('\0')) return 'holds a NUL character.';
  if (parts.includes('..') || parts.includes('.')) return 'holds "." or ".." as a directory.';
  if (parts.some((part) => Buffer.byteLength(part) > 255)) return 'holds a name of more than 255 bytes.';
  if (parts.length === 0) return 'is empty.';
  return null;
}

/**
 * The place of a key below `root`. Directories are walked one by one, so that neither a `..` nor a
 * symbolic link leads out of the root; missing ones are made when `create` is set.
 *
 * Returns null when a directory is missing and `create` is not set. Throws `destination_missing` without
 * a root, `destination_config` for keys that leave it.
 */
export async function placeOf(root: string, key: string, create: boolean): Promise<Place | null> {
  const problem = keyProblem(key);
  if (problem) throw new SluiceError('destination_config', { detail: `The key ${key} ${problem}` });
  // An unmounted disk must not be mistaken for an empty one: the root is never made here.
  const top = await onDisk('SLUICE_FILES_ROOT', () => realpath(root).catch(rootError));
  const parts = partsOf(key);
  const name = parts.pop() as string;
  let directory = top;
  for (const part of parts) {
    const next = await enter(top, directory, part, create);
    if (next === null) return null;
    directory = next;
  }
  return { directory, name, path: join(directory, name) };
}

function rootError(error: unknown): never {
  if (errnoOf(error) !== 'ENOENT') throw error;
  throw new SluiceError('destination_missing', {
    detail: 'SLUICE_FILES_ROOT: the directory does not exist (ENOENT).',
    cause: error,
  });
}

async function enter(top: string, parent: string, part: string, create: boolean): Promise<string | null> {
  const path = join(parent, part);
  const what = `directory ${path.slice(top.length + 1)}`;
  if (create) {
    await onDisk(what, async () => {
      await mkdir(path).catch((error) => {
        if (errnoOf(error) !== 'EEXIST') throw error;
      });
    });
  }
  try {
    if (!(await lstat(path)).isSymbolicLink()) return path;
  } catch (error) {
    if (!create && errnoOf(error) === 'ENOENT') return null;
    return await onDisk(what, () => Promise.reject(error));
  }
  const real = await onDisk(what, () => realpath(path).catch(nowhere));
  if (real !== null && (real === top || real.startsWith(top + sep))) return real;
  throw new SluiceError('destination_config', {
    detail: `${what}: it is a symbolic link that leads ${real === null ? 'nowhere' : 'out of SLUICE_FILES_ROOT'}.`,
  });
}

/** What a link that points at nothing leads to. */
function nowhere(error: unknown): null {
  if (errnoOf(error) === 'ENOENT') return null;
  throw error;
}

function partsOf(key: string): string[] {
  return key.split('/').filter(Boolean);
}

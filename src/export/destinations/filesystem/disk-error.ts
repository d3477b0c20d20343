import type { ErrorCode } from '../../../errors/catalogue.ts';
import { SluiceError } from '../../../errors/error.ts';

/** What a failed system call means for the run. Codes not listed pass: trying again is the safe guess. */
const meanings: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOSPC: ['destination_full', 'the disk is full'],
  EDQUOT: ['destination_full', 'the disk quota is used up'],
  EROFS: ['destination_denied', 'the file system is read-only'],
  EACCES: ['destination_denied', 'the server may not write there'],
  EPERM: ['destination_denied', 'the server may not write there'],
  // Directories are made as they are needed: what is missing was there a moment ago.
  ENOENT: ['destination_unavailable', 'it was removed while it was in use'],
  ENOTDIR: ['destination_config', 'a part of the path is a file, not a directory'],
  EISDIR: ['destination_config', 'a directory has the name of the file'],
  ENOTEMPTY: ['destination_config', 'a directory has the name of the file'],
  EEXIST: ['destination_config', 'another file is in the way'],
  ELOOP: ['destination_config', 'a symbolic link is in the way'],
  ENAMETOOLONG: ['destination_config', 'the name is too long for this file system'],
  EINVAL: ['destination_config', 'the name is not valid on this file system'],
  EFBIG: ['destination_config', 'the file is larger than this file system allows'],
};

/**
 * Runs file operations and turns their failures into `destination_*` errors, by errno. `what` names the
 * thing for a person: a key or a directory below the root, never more of the server's paths than that.
 */
export async function onDisk<T>(what: string, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    throw diskError(what, error);
  }
}

/** The errno name of a failed system call (`ENOENT`, …), or undefined for any other value. */
export function errnoOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'syscall' in error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

function diskError(what: string, error: unknown): unknown {
  const code = errnoOf(error);
  if (code === undefined) return error;
  const [meaning, words] = meanings[code] ?? ['destination_unavailable', 'the disk did not do its work'];
  return new SluiceError(meaning, { detail: `${what}: ${words} (${code}).`, cause: error });
}

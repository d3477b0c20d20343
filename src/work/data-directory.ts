import { SluiceError } from '../errors/error.ts';

const WHY: Readonly<Record<string, string>> = {
  ENOSPC: 'its disk is full; make room on it',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EEXIST: 'it is a file',
  ENOENT: 'the system lets nobody make it there',
  ENOTDIR: 'a part of the path is a file',
};

/** Runs what writes below `directory`. Throws `data_dir_unwritable`, with the reason, where the system refuses it. */
export function inDataDirectory<T>(directory: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    const why = whyUnwritable(error);
    if (why === null) throw error;
    throw new SluiceError('data_dir_unwritable', {
      detail: `The data directory ${directory} cannot be written to: ${why}.`,
      cause: error,
    });
  }
}

/** The reason of the system in words, with its code; null for an error of another kind. */
export function whyUnwritable(error: unknown): string | null {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const why = WHY[code];
  return why === undefined ? null : `${why} (${code})`;
}

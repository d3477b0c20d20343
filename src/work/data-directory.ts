import { SluiceError } from '../errors/error.ts';

const WHY: Readonly<Record<string, string>> = {
  ENOSPC: 'its disk is full; make room on it',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EEXIST: 'it is a file',
  ENOTDIR: 'a part of the path is a file',
};

/** Runs what writes below `directory`. Throws `data_dir_unwritable`, with the reason, where the system refuses it. */
export function inDataDirectory<T>(directory: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const why = WHY[code];
    if (why === undefined) throw error;
    throw new SluiceError('data_dir_unwritable', {
      detail: `The data directory ${directory} cannot be written to: ${why} (${code}).`,
      cause: error,
    });
  }
}

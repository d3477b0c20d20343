import { open } from 'node:fs/promises';
import { SluiceError } from '../../errors/error.ts';

/**
 * The size in bytes of a file that can be read, for looking at all files before the first one is stored. Throws `not_found`, and
 * `invalid_input` for what is no file, may not be read, or has the name of a Parquet file and nothing of one.
 */
export async function readableSize(path: string): Promise<number> {
  try {
    await using file = await open(path);
    const found = await file.stat();
    if (found.isDirectory()) throw refused(path, 'is a directory; name the files in it');
    if (!found.isFile()) throw refused(path, 'is no regular file; write what it holds into one');
    const head = Buffer.alloc(4);
    await file.read(head, 0, 4, 0);
    if (path.endsWith('.parquet') && head.toString('latin1') !== 'PAR1') {
      throw refused(path, found.size === 0 ? 'is empty' : 'is no Parquet file');
    }
    return found.size;
  } catch (error) {
    const code = error instanceof Error && 'syscall' in error && 'code' in error ? String(error.code) : null;
    if (code === null) throw error;
    if (code === 'ENOENT') throw new SluiceError('not_found', { detail: `There is no file ${path}.` });
    const why = code === 'EACCES' || code === 'EPERM' ? 'may not be read by this user' : 'cannot be read';
    throw refused(path, `${why} (${code})`);
  }
}

const refused = (path: string, why: string) =>
  new SluiceError('invalid_input', { detail: `${path} ${why}. Nothing was stored.` });

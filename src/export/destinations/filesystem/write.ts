import { constants, type FileHandle, open, rm } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { errnoOf, onDisk } from './disk-error.ts';

/** Never follows a link and never opens what is already there: nobody else can choose what we write to. */
const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const READ = constants.O_RDONLY | constants.O_NOFOLLOW;

/** What stays the same when a file is renamed, and tells it from another file of the same size. */
export interface Identity {
  readonly bytes: number;
  /** Nanoseconds since the epoch, decimal. */
  readonly mtime: string;
}

/** Writes a stream to a new file, through to the disk. Errors of the source pass unchanged. */
export async function writeStream(
  path: string,
  what: string,
  source: Readable,
  signal: AbortSignal,
): Promise<Identity> {
  const stop = () => source.destroy();
  signal.addEventListener('abort', stop, { once: true });
  try {
    signal.throwIfAborted();
    return await withNewFile(path, what, async (handle) => {
      for await (const chunk of source) await onDisk(what, () => writeAll(handle, chunk));
    });
  } catch (error) {
    source.destroy();
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** Writes a small new file, through to the disk. */
export async function writeBuffer(path: string, what: string, body: Buffer): Promise<Identity> {
  return await withNewFile(path, what, (handle) => onDisk(what, () => writeAll(handle, body)));
}

/** Brings a file that somebody else wrote through to the disk. */
export async function syncFile(path: string, what: string): Promise<Identity> {
  return await onDisk(what, async () => {
    await using handle = await open(path, READ);
    await handle.sync();
    return await identityOf(handle);
  });
}

/** Makes renames and removals in a directory survive a power failure. */
export async function syncDirectory(path: string, what: string): Promise<void> {
  await onDisk(what, async () => {
    await using handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    await handle.sync();
  });
}

/** Null when there is no such file; a link or a directory is none. */
export async function identityAt(path: string, what: string): Promise<Identity | null> {
  return await onDisk(what, async () => {
    try {
      await using handle = await open(path, READ);
      return (await handle.stat()).isFile() ? await identityOf(handle) : null;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ELOOP') return null;
      throw error;
    }
  });
}

/** Opens a published file for reading. */
export async function openForReading(path: string, what: string): Promise<FileHandle> {
  return await onDisk(what, () => open(path, READ));
}

async function withNewFile(
  path: string,
  what: string,
  fill: (handle: FileHandle) => Promise<void>,
): Promise<Identity> {
  const handle = await onDisk(what, () => open(path, CREATE, 0o644));
  try {
    await fill(handle);
    return await onDisk(what, async () => {
      await handle.sync();
      return await identityOf(handle);
    });
  } catch (error) {
    await rm(path, { force: true }).catch(() => {});
    throw error;
  } finally {
    await handle.close();
  }
}

async function writeAll(handle: FileHandle, body: Uint8Array): Promise<void> {
  for (let at = 0; at < body.byteLength; ) {
    at += (await handle.write(body, at, body.byteLength - at)).bytesWritten;
  }
}

async function identityOf(handle: FileHandle): Promise<Identity> {
  const info = await handle.stat({ bigint: true });
  return { bytes: Number(info.size), mtime: info.mtimeNs.toString() };
}

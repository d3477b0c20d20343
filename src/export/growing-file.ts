import { type FileHandle, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { EngineFile } from './destinations/destination.ts';

/** Fills the beginning of a buffer and says how many bytes that were; 0 = there are no more. */
export type ByteSource = (into: Buffer) => Promise<number>;

/** How long to wait for more of a file that is being written, milliseconds: a part takes several times as long. */
const LOOK_AGAIN_MS = 10;

export function bytesOfStream(stream: Readable): ByteSource {
  const chunks = (stream as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);
  return async (into) => {
    while (rest.length === 0) {
      const { done, value } = await chunks.next();
      if (done) return 0;
      rest = value;
    }
    const read = rest.copy(into);
    rest = rest.subarray(read);
    return read;
  };
}

export interface GrowingFile extends AsyncDisposable {
  readonly read: ByteSource;
}

/**
 * Follows a file from its first byte while the engine appends to it, straight into the caller's buffers. Reading
 * throws the engine's error, or the signal's reason.
 */
export function followFile({ path, written }: EngineFile, signal: AbortSignal): GrowingFile {
  let handle: FileHandle | null = null;
  let complete = false;
  let failure: { readonly error: unknown } | null = null;
  const settled = written.then(
    () => {
      complete = true;
    },
    (error: unknown) => {
      failure = { error };
    },
  );
  let at = 0;
  return {
    read: async (into) => {
      for (;;) {
        signal.throwIfAborted();
        // Asked before reading: what was written before it was complete is seen by this very read.
        const last = complete;
        handle ??= await openWhenThere(path, last);
        const bytesRead = handle === null ? 0 : (await handle.read(into, 0, into.length, at)).bytesRead;
        at += bytesRead;
        if (failure) throw (failure as { readonly error: unknown }).error;
        if (bytesRead > 0 || last) return bytesRead;
        await Promise.race([settled, delay(LOOK_AGAIN_MS)]);
      }
    },
    [Symbol.asyncDispose]: async () => {
      await handle?.close();
    },
  };
}

/** The engine makes the file when its first block is ready; once it says it is done, it must be there. */
async function openWhenThere(path: string, must: boolean): Promise<FileHandle | null> {
  try {
    return await open(path);
  } catch (error) {
    if (!must && (error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

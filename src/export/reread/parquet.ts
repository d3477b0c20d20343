import { Worker } from 'node:worker_threads';
import { compileCache } from '../../work/compile-cache.ts';
import type { RereadableFile } from '../destinations/destination.ts';
import type { Tally } from '../spec.ts';
import type { Reread } from './count.ts';

/** To the thread: a file of so many bytes, or a range that it asked for. */
export type ToThread = { readonly bytes: number } | { readonly id: number; readonly range: ArrayBuffer };

/** From the thread: a range that it wants, or what became of the file. */
export type FromThread =
  | { readonly id: number; readonly start: number; readonly end: number }
  | { readonly tally: Tally }
  | { readonly failure: string };

export interface ThreadLimits {
  /** Memory for objects, MB. A row group of 131,072 rows takes 20. */
  readonly heapMb: number;
  /** Milliseconds without a word from the thread while it has all that it asked for. */
  readonly silentMs: number;
  /** Of the ranges that it waits for. A column of a row group has 5 MB, the footer of a billion rows some 100. */
  readonly askedBytes: number;
}

const LIMITS: ThreadLimits = { heapMb: 512, silentMs: 60_000, askedBytes: 256 * 1024 * 1024 };

export interface ParquetReader extends AsyncDisposable {
  /** Throws what the destination throws, and an Error when the file is not one of ours. */
  reread(file: RereadableFile, signal: AbortSignal): Promise<Reread>;
}

/**
 * Reads the uuid columns of Parquet files in a thread that may die, started by the first of them. What a reader finds in a
 * store of somebody's own need not be what was written: a page of twenty bytes can say of itself that it holds a billion
 * values, and the code that unpacks it believes it.
 */
export function openParquetReader(limits = LIMITS): ParquetReader {
  let thread: Worker | null = null;
  const drop = async () => {
    const ended = thread;
    thread = null;
    await ended?.terminate();
  };
  const start = (): Worker => {
    const started = new Worker(new URL('./parquet-thread.ts', import.meta.url), {
      env: { ...process.env, ...compileCache() },
      resourceLimits: { maxOldGenerationSizeMb: limits.heapMb },
    });
    started.on('error', () => {}); // also when nobody waits for it
    started.on('exit', () => {
      if (thread === started) thread = null;
    });
    return started;
  };
  return {
    reread: async (file, signal) => {
      signal.throwIfAborted();
      thread ??= start();
      try {
        return { tally: await tallyBy(thread, file, signal, limits), cleaned: 0 };
      } catch (error) {
        // It may be at work on this file still.
        await drop();
        throw error;
      }
    },
    [Symbol.asyncDispose]: drop,
  };
}

/** Gives the thread a file, and the ranges of it that it asks for. */
async function tallyBy(
  thread: Worker,
  file: RereadableFile,
  signal: AbortSignal,
  limits: ThreadLimits,
): Promise<Tally> {
  const { promise, resolve, reject } = Promise.withResolvers<Tally>();
  let asked = 0;
  let timer: NodeJS.Timeout | undefined;
  const tell = (message: ToThread, transfer: ArrayBuffer[] = []) => {
    thread.postMessage(message, transfer);
    clearTimeout(timer);
    if (asked > 0) return;
    timer = setTimeout(() => reject(new Error('The thread took too long.')), limits.silentMs);
  };
  const give = async (id: number, start: number, end: number) => {
    if (!(start >= 0 && start <= end && end <= file.bytes)) throw new Error('A range outside of the file.');
    const bytes = end - start;
    asked += bytes;
    if (asked > limits.askedBytes) throw new Error(`${asked} bytes at once are more than such a file needs.`);
    const range = exactBuffer(await file.read(start, end));
    asked -= bytes;
    tell({ id, range }, [range]);
  };
  const onMessage = (message: FromThread) => {
    clearTimeout(timer);
    if ('tally' in message) resolve(message.tally);
    else if ('failure' in message) reject(new Error(message.failure));
    else give(message.id, message.start, message.end).catch(reject);
  };
  const onExit = () => reject(new Error('The thread ended.'));
  const onAbort = () => reject(signal.reason);
  thread.on('message', onMessage).on('error', reject).on('exit', onExit);
  signal.addEventListener('abort', onAbort, { once: true });
  tell({ bytes: file.bytes });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    thread.off('message', onMessage).off('error', reject).off('exit', onExit);
    signal.removeEventListener('abort', onAbort);
  }
}

function exactBuffer(buffer: Buffer): ArrayBuffer {
  if (buffer.byteOffset === 0 && buffer.buffer.byteLength === buffer.length)
    return buffer.buffer as ArrayBuffer;
  return buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.length) as ArrayBuffer;
}

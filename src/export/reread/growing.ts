import { rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import type { Warehouse } from '../../warehouse/warehouse.ts';
import { fifoWriter, makeFifos } from '../../work/fifo.ts';
import type { EngineFile } from '../destinations/destination.ts';
import type { Format } from '../formats/format.ts';
import { type ByteSource, followFile } from '../growing-file.ts';
import type { Reread } from './count.ts';
import { rereadByEngine } from './engine.ts';

/** Four times what a pipe holds. */
const PIECE_BYTES = 256 * 1024;

/**
 * Whoever compresses goes first: with equal rights it is interrupted for the reader, who waits for it anyway (gzip
 * 0.89–0.91 of the bare statement, so 0.94–0.95). Needs the right to set priorities, which root has; without it
 * ClickHouse leaves them as they are.
 */
const BEHIND = { os_threads_nice_value_query: 10 };

/**
 * Lets the engine read a compressed file of lines while it writes it: decompressing takes one thread about a third of
 * the time that compressing takes, and there is a core to spare. What it reads are the file's own bytes, followed from
 * the first to the last and handed over through a named pipe at `fifo`. Throws what writing or reading the file throws.
 */
export async function rereadGrowing(
  warehouse: Warehouse,
  format: Format,
  file: EngineFile,
  fifo: string,
  signal: AbortSignal,
): Promise<Reread> {
  await rm(fifo, { force: true });
  await makeFifos([fifo]);
  try {
    let over = false;
    const reading = rereadByEngine(warehouse, format, fifo, signal, BEHIND).finally(() => {
      over = true;
    });
    const [reread, feeding] = await Promise.allSettled([reading, feed(fifo, file, () => over, signal)]);
    // What keeps the bytes from coming explains why the engine found the file damaged; the engine's own trouble explains
    // why nobody took them.
    if (feeding.status === 'rejected' && !hungUp(feeding.reason)) throw feeding.reason;
    if (reread.status === 'rejected') throw reread.reason;
    return reread.value;
  } finally {
    await rm(fifo, { force: true });
  }
}

async function feed(
  fifo: string,
  file: EngineFile,
  readerGone: () => boolean,
  signal: AbortSignal,
): Promise<void> {
  const pipe = await fifoWriter(fifo, readerGone);
  if (pipe === null) return;
  // Errors reach `write` as well; an 'error' without a listener would end the process.
  pipe.on('error', () => {});
  try {
    await using growing = followFile(file, signal);
    await pour(growing.read, pipe);
    await new Promise<void>((resolve) => pipe.end(resolve));
  } finally {
    pipe.destroy();
  }
}

async function pour(read: ByteSource, pipe: Socket): Promise<void> {
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  for (let length = await read(piece); length > 0; length = await read(piece)) {
    await new Promise<void>((resolve, reject) =>
      pipe.write(piece.subarray(0, length), (error) => (error ? reject(error) : resolve())),
    );
  }
}

const hungUp = (error: unknown): boolean =>
  ['EPIPE', 'ECONNRESET', 'ERR_STREAM_DESTROYED'].includes((error as NodeJS.ErrnoException).code ?? '');

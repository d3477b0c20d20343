import { parentPort } from 'node:worker_threads';
import type { FromThread, ToThread } from './parquet.ts';
import { tallyUuidColumn } from './uuid-column.ts';

/** The thread that reads Parquet files, started by `parquet.ts`: one after the other, by ranges that it is given. */

const tell = (message: FromThread): void => parentPort?.postMessage(message);
const asked = new Map<number, (range: ArrayBuffer) => void>();
let ranges = 0;

parentPort?.on('message', (message: ToThread) => {
  if ('bytes' in message) return void read(message.bytes);
  asked.get(message.id)?.(message.range);
  asked.delete(message.id);
});

async function read(byteLength: number): Promise<void> {
  const slice = (start: number, end = byteLength) => {
    const { promise, resolve } = Promise.withResolvers<ArrayBuffer>();
    const id = ++ranges;
    asked.set(id, resolve);
    tell({ id, start, end });
    return promise;
  };
  try {
    tell({ tally: await tallyUuidColumn({ byteLength, slice }) });
  } catch (error) {
    tell({ failure: error instanceof Error ? error.message : String(error) });
  }
}

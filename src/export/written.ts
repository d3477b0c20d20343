import { open } from 'node:fs/promises';
import { Transform } from 'node:stream';
import { parquetMetadata, parquetMetadataAsync } from 'hyparquet';
import type { Format } from './formats/format.ts';

/** A Parquet footer larger than this is not looked at; 20 M rows in 80 row groups have one of 160 kB. */
const FOOTER_BYTES = 2 * 1024 * 1024;

/** Rows of the file at `path` as its encoder counted them; null when the format keeps no count. */
export async function rowsInFile(format: Format, path: string): Promise<number | null> {
  if (format.engineFormat !== 'Parquet') return null;
  await using file = await open(path);
  const { size } = await file.stat();
  const metadata = await parquetMetadataAsync({
    byteLength: size,
    slice: async (start, end = size) => {
      const buffer = Buffer.alloc(end - start);
      const { bytesRead } = await file.read(buffer, 0, buffer.length, start);
      return arrayBuffer(buffer.subarray(0, bytesRead));
    },
  });
  return Number(metadata.num_rows);
}

export interface CountingStream extends Transform {
  /** Once the stream has ended: rows the encoder wrote, null when that cannot be seen from the bytes. */
  rows(): number | null;
}

/** Passes bytes through and counts what can be counted without decoding. */
export function countingStream(format: Format): CountingStream {
  if (format.engineFormat === 'Parquet') return parquetCounter();
  return format.codec === null ? lineCounter() : uncounted();
}

function lineCounter(): CountingStream {
  let lines = 0;
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines++;
      done(null, chunk);
    },
  });
  return Object.assign(stream, { rows: () => lines });
}

/** Keeps the last bytes by reference: the footer is there. */
function parquetCounter(): CountingStream {
  const tail: Buffer[] = [];
  let kept = 0;
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      tail.push(chunk);
      kept += chunk.length;
      while (tail[0] && kept - tail[0].length >= FOOTER_BYTES) kept -= (tail.shift() as Buffer).length;
      done(null, chunk);
    },
  });
  return Object.assign(stream, { rows: () => footerRows(Buffer.concat(tail)) });
}

function footerRows(tail: Buffer): number | null {
  if (tail.length < 8 || tail.readUInt32LE(tail.length - 8) + 8 > tail.length) return null;
  return Number(parquetMetadata(arrayBuffer(tail)).num_rows);
}

function uncounted(): CountingStream {
  const stream = new Transform({ transform: (chunk, _encoding, done) => done(null, chunk) });
  return Object.assign(stream, { rows: () => null });
}

function arrayBuffer(buffer: Buffer): ArrayBuffer {
  return buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.length) as ArrayBuffer;
}

import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline, Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip } from 'node:zlib';
import { SluiceError } from '../../errors/error.ts';
import { jsonRow, lines } from './json-lines.ts';
import { parquetRows } from './parquet.ts';
import { BadRow, type FileRow, type SourceRow } from './row.ts';
import { isZstd, unpackZstd } from './zstd.ts';

/**
 * The rows of an exported file: Parquet, or JSON Lines plain, gzip, Zstandard or Brotli; known by its
 * first bytes, Brotli (which has none) by its name. Throws `invalid_input` when the file is damaged.
 */
export async function* fileRows(path: string): AsyncGenerator<FileRow> {
  const head = await firstBytes(path);
  try {
    if (head.toString('latin1') === 'PAR1') yield* parquetRows(path);
    else yield* jsonLineRows(path, head);
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    throw new SluiceError('invalid_input', {
      detail: `The file ${path} is damaged or cut off.`,
      cause: error,
    });
  }
}

async function* jsonLineRows(path: string, head: Buffer): AsyncGenerator<FileRow> {
  const counter = new ByteCounter();
  const stages = [createReadStream(path), counter, ...unpackers(path, head)];
  // Errors of any stage end the last one, which is read below.
  const bytes = pipeline(stages, () => undefined) as unknown as AsyncIterable<Buffer>;
  const source = isZstd(head) ? unpackZstd(bytes) : bytes;
  let number = 0;
  for await (const line of lines(source)) {
    number++;
    if (line.trim() === '') continue;
    yield {
      number,
      row: attempt(() => jsonRow(number === 1 ? line.replace(/^\uFEFF/, '') : line)),
      bytesRead: counter.bytes,
    };
  }
}

function unpackers(path: string, head: Buffer): Transform[] {
  if (head[0] === 0x1f && head[1] === 0x8b) return [createGunzip()];
  return path.endsWith('.br') ? [createBrotliDecompress()] : [];
}

async function firstBytes(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const head = Buffer.alloc(4);
    await file.read(head, 0, 4, 0);
    return head;
  } finally {
    await file.close();
  }
}

export function attempt(read: () => SourceRow): SourceRow | BadRow {
  try {
    return read();
  } catch (error) {
    if (error instanceof BadRow) return error;
    throw error;
  }
}

class ByteCounter extends Transform {
  bytes = 0;

  override _transform(chunk: Buffer, _: unknown, done: (error: null, chunk: Buffer) => void): void {
    this.bytes += chunk.length;
    done(null, chunk);
  }
}

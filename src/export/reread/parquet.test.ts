import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { v7 } from 'uuid';
import { expect, it } from 'vitest';
import { SluiceError } from '../../errors/error.ts';
import type { RereadableFile } from '../destinations/destination.ts';
import { UuidTally } from '../fingerprint.ts';
import { openParquetReader } from './parquet.ts';
import { pageCodecs } from './uuid-column.ts';

type Codec = 'ZSTD' | 'GZIP' | 'BROTLI';
const pack = { ZSTD: zstdCompressSync, GZIP: gzipSync, BROTLI: brotliCompressSync };
const live = new AbortController().signal;
const uuidsOf = (count: number) => Array.from({ length: count }, () => v7());

/** A file whose pages are packed by `packed`, which may put anything in their place. */
function fileOf(
  uuids: string[],
  codec: Codec = 'ZSTD',
  packed: (page: Uint8Array) => Uint8Array = pack[codec],
) {
  const columnData = [{ name: 'uuid', data: uuids, type: 'STRING' as const }];
  return Buffer.from(parquetWriteBuffer({ columnData, codec, compressors: { [codec]: packed } }));
}

function rereadable(bytes: Buffer, change: Partial<RereadableFile> = {}): RereadableFile {
  return {
    bytes: bytes.length,
    path: null,
    read: async (start, end) => Buffer.from(bytes.subarray(start, end)),
    stream: () => Promise.reject(new Error('not read so')),
    ...change,
  };
}

function tallyOf(uuids: string[]) {
  const tally = new UuidTally();
  for (const uuid of uuids) tally.add(Buffer.from(uuid), 0);
  return tally.tally;
}

it.each(['ZSTD', 'GZIP', 'BROTLI'] as const)('tallies files of %s, one after the other', async (codec) => {
  await using reader = openParquetReader();
  for (const count of [1, 20_000]) {
    const uuids = uuidsOf(count);
    const { tally, cleaned } = await reader.reread(rereadable(fileOf(uuids, codec)), live);
    expect(tally).toEqual(tallyOf(uuids));
    expect(cleaned).toBe(0);
  }
});

it.each(['ZSTD', 'GZIP', 'BROTLI'] as const)(
  'unpacks no more than a page of %s says that it has',
  async (codec) => {
    const bomb = pack[codec](Buffer.alloc(64 * 1024 * 1024));
    await using reader = openParquetReader();
    const failure = reader.reread(rereadable(fileOf(uuidsOf(10), codec, () => bomb)), live);
    await expect(failure).rejects.toThrow('Cannot create a Buffer larger than');
  },
);

it.each(Object.keys(pageCodecs))('makes no room for a page of two gigabytes (%s)', (codec) => {
  const unpack = pageCodecs[codec as Codec];
  expect(() => unpack?.(new Uint8Array(10), 2 ** 31 - 1)).toThrow('A page of 2147483647 bytes.');
});

it('ends the thread that a file takes too much memory of, or time, and reads the next one', async () => {
  const uuids = uuidsOf(200_000);
  const large = rereadable(fileOf(uuids));
  const limits = { heapMb: 512, silentMs: 60_000, askedBytes: 1e9 };
  await using small = openParquetReader({ ...limits, heapMb: 16 });
  await expect(small.reread(large, live)).rejects.toMatchObject({ code: 'ERR_WORKER_OUT_OF_MEMORY' });
  const few = uuids.slice(0, 10);
  expect((await small.reread(rereadable(fileOf(few)), live)).tally).toEqual(tallyOf(few));
  await using hurried = openParquetReader({ ...limits, silentMs: 0 });
  await expect(hurried.reread(large, live)).rejects.toThrow('took too long');
  await using modest = openParquetReader({ ...limits, askedBytes: 1000 });
  await expect(modest.reread(large, live)).rejects.toThrow('more than such a file needs');
});

it('says what reading failed with, and why it stopped', async () => {
  await using reader = openParquetReader();
  const bytes = fileOf(uuidsOf(10));
  const gone = new SluiceError('destination_unavailable');
  const away = rereadable(bytes, { read: () => Promise.reject(gone) });
  await expect(reader.reread(away, live)).rejects.toBe(gone);
  const stop = new AbortController();
  const reason = new Error('stopped');
  const silent = rereadable(bytes, {
    read: () => {
      stop.abort(reason);
      return new Promise(() => {});
    },
  });
  await expect(reader.reread(silent, stop.signal)).rejects.toBe(reason);
  await expect(reader.reread(rereadable(Buffer.from('no Parquet at all')), live)).rejects.toThrow('parquet');
  await expect(reader.reread(rereadable(fileOf(['no uuid'])), live)).rejects.toThrow('no uuid');
});

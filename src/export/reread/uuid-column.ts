import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import {
  type AsyncBuffer,
  type ColumnData,
  type Compressors,
  parquetMetadataAsync,
  parquetRead,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { UuidTally } from '../fingerprint.ts';
import type { Tally } from '../spec.ts';

/** Unpacked. ClickHouse writes pages of one MiB. */
const MOST_PAGE_BYTES = 16 * 1024 * 1024;

/** Node's own codecs are several times as fast as the ones in JavaScript. */
const CODECS: Compressors = {
  ...compressors,
  ZSTD: (input, length) => zstdDecompressSync(input, { maxOutputLength: length }),
  GZIP: (input, length) => gunzipSync(input, { maxOutputLength: length }),
  BROTLI: (input, length) => brotliDecompressSync(input, { maxOutputLength: length }),
};

/** None gives more than the page's header says, nor a page larger than honest ones are. */
export const pageCodecs: Compressors = Object.fromEntries(
  Object.entries(CODECS).map(([name, unpack]) => [
    name,
    (input: Uint8Array, length: number) => {
      if (length < 1 || length > MOST_PAGE_BYTES) throw new Error(`A page of ${length} bytes.`);
      return unpack(input, length);
    },
  ]),
);

/**
 * Tallies the uuid column of a Parquet file, one row group at a time: footer and column are about an eighth of the file's
 * bytes. Throws what `source` throws, and an Error when this is no such file.
 */
export async function tallyUuidColumn(source: AsyncBuffer): Promise<Tally> {
  const metadata = await parquetMetadataAsync(source);
  const uuids = new UuidTally();
  let areUuids = true;
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows);
    await parquetRead({
      file: source,
      metadata,
      columns: ['uuid'],
      rowStart,
      rowEnd,
      compressors: pageCodecs,
      parsers: { stringFromBytes: (bytes: Uint8Array) => bytes },
      // What it throws nobody catches.
      onChunk: (chunk) => {
        areUuids &&= addChunk(uuids, chunk);
      },
    });
    if (!areUuids) throw new Error('A value of the uuid column is no uuid.');
    rowStart = rowEnd;
  }
  return uuids.tally;
}

/** False when one is no uuid. */
function addChunk(uuids: UuidTally, chunk: ColumnData): boolean {
  for (const bytes of chunk.columnData as Iterable<Uint8Array | undefined>) {
    if (bytes?.length !== 36 || !uuids.add(bytes, 0)) return false;
  }
  return true;
}

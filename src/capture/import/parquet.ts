import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import type { FileRow } from './file.ts';
import type { SourceRow } from './row.ts';

/** Rows decoded at a time; a row group of a million would take gigabytes. */
const ROWS_AT_ONCE = 5000;

/** The rows of a Parquet file, whatever its compression. */
export async function* parquetRows(path: string): AsyncGenerator<FileRow> {
  const file = await asyncBufferFromFile(path);
  const metadata = await parquetMetadataAsync(file);
  const total = Number(metadata.num_rows);
  for (let rowStart = 0; rowStart < total; rowStart += ROWS_AT_ONCE) {
    const rowEnd = Math.min(total, rowStart + ROWS_AT_ONCE);
    const rows = await parquetReadObjects({ file, metadata, compressors, parsers, rowStart, rowEnd });
    const bytesRead = Math.round((file.byteLength * rowEnd) / total);
    for (const [index, row] of rows.entries()) {
      yield { number: rowStart + index + 1, row: plainRow(row), bytesRead };
    }
  }
}

/** Times stay microseconds: a Date would lose three digits. Nanoseconds are cut. */
const parsers = {
  timestampFromMilliseconds: (millis: bigint) => micros(millis * 1000n),
  timestampFromMicroseconds: (value: bigint) => micros(value),
  timestampFromNanoseconds: (nanos: bigint) => micros(nanos / 1000n),
};

/** As ISO text, the one form that reads the same whatever its size. */
function micros(value: bigint): string {
  const seconds = value / 1_000_000n - (value % 1_000_000n < 0n ? 1n : 0n);
  const fraction = String(value - seconds * 1_000_000n).padStart(6, '0');
  return new Date(Number(seconds) * 1000).toISOString().replace(/\.\d+Z$/, `.${fraction}Z`);
}

/** JSON and struct columns arrive as objects; they become text again. */
function plainRow(row: SourceRow): SourceRow {
  return Object.fromEntries(
    Object.entries(row).map(([key, value]) => [key, isNested(value) ? toJson(value) : value]),
  );
}

function isNested(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !(value instanceof Date);
}

/** In Node since 22; TypeScript's library does not know it yet. */
const { rawJSON: rawJson } = JSON as unknown as { rawJSON(text: string): unknown };

function toJson(value: unknown): string {
  return JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? rawJson(String(inner)) : inner));
}

import type { Compression, FileOptions } from '../spec.ts';
import type { Codec, Format } from './format.ts';
import { jsonLines } from './jsonlines.ts';
import { parquet } from './parquet.ts';

/** The format of a destination's files. `compression` has been checked to suit the format (contract.md §3). */
export function formatOf(options: Pick<FileOptions, 'format' | 'compression'>): Format {
  return options.format === 'Parquet'
    ? parquet(options.compression)
    : jsonLines(codecOf(options.compression));
}

function codecOf(compression: Compression | null): Codec | null {
  if (compression === 'brotli') return 'br';
  return compression === 'gzip' || compression === 'zstd' ? compression : null;
}

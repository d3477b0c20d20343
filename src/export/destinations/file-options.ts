import { Type } from 'typebox';
import type { Compression, FileFormat, FileOptions } from '../spec.ts';

type Config = Readonly<Record<string, unknown>>;

/** Compressions per file format, contract.md §3; `zstd` for JSON Lines is ours. */
const compressionsOf: Readonly<Record<FileFormat, readonly Compression[]>> = {
  Parquet: ['zstd', 'lz4', 'snappy', 'gzip', 'brotli'],
  JSONLines: ['gzip', 'brotli', 'zstd'],
};

/**
 * The keys every destination that takes files has (contract.md §5). Keys that may be null are left
 * unchecked by the generic rules, so `checkFileOptions` looks at them.
 */
export const fileOptionKeys = {
  file_format: Type.Optional(
    Type.Union([Type.Literal('JSONLines'), Type.Literal('Parquet'), Type.Null()], {
      description: 'Default: JSONLines.',
    }),
  ),
  compression: Type.Optional(
    Type.Union([...compressionsOf.Parquet.map((name) => Type.Literal(name)), Type.Null()], {
      description: 'Parquet: zstd, lz4, snappy, gzip, brotli. JSONLines: gzip, brotli, zstd. Default: none.',
    }),
  ),
  max_file_size_mb: Type.Optional(
    Type.Union([Type.Integer(), Type.Null()], {
      description: 'Start another file beyond this size, in MiB after compression. Default: one file.',
    }),
  ),
};

/** The same with the flag that existing exports of the cloud stores may carry (contract.md §5). */
export const cloudFileOptionKeys = {
  ...fileOptionKeys,
  legacy_parquet_extension: Type.Optional(
    Type.Boolean({ description: 'Parquet file names end with the codec, as in x.parquet.zst.' }),
  ),
};

/** The first thing wrong with the file options of a complete config, in words; null = nothing. */
export function checkFileOptions(config: Config): string | null {
  const format = config.file_format ?? 'JSONLines';
  if (!isFormat(format)) {
    return `File format ${shown(format)} is not supported; choose JSONLines or Parquet.`;
  }
  const compression = config.compression || null;
  const allowed: readonly unknown[] = compressionsOf[format];
  if (compression !== null && !allowed.includes(compression)) {
    return `Compression ${shown(compression)} is not available for ${format}; choose ${allowed.join(', ')} or none.`;
  }
  const size = config.max_file_size_mb ?? null;
  if (size !== null && !(Number.isSafeInteger(size) && Number(size) >= 0)) {
    return `max_file_size_mb must be a whole number of MiB, not ${shown(size)}.`;
  }
  return null;
}

/** Defaults applied; expects a config that `checkFileOptions` accepts. A size of 0 means no limit. */
export function fileOptionsOf(config: Config): FileOptions {
  const format = isFormat(config.file_format) ? config.file_format : 'JSONLines';
  const compression = (config.compression || null) as Compression | null;
  return {
    format,
    compression,
    prefix: typeof config.prefix === 'string' ? config.prefix : '',
    maxFileSizeMb: Number(config.max_file_size_mb ?? 0) || null,
    legacyParquetExtension: false,
  };
}

/**
 * The same for the cloud stores: exports from before the flag existed go on writing names with the codec
 * (contract.md §5, `legacy_parquet_extension`).
 */
export function cloudFileOptionsOf(config: Config): FileOptions {
  const options = fileOptionsOf(config);
  const before = options.format === 'Parquet' && options.compression !== null;
  return { ...options, legacyParquetExtension: (config.legacy_parquet_extension ?? before) === true };
}

function isFormat(value: unknown): value is FileFormat {
  return typeof value === 'string' && Object.hasOwn(compressionsOf, value);
}

function shown(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}

/** What a destination's config says of its files. */
export type FileFormat = readonly [
  format: 'Parquet' | 'JSONLines',
  compression: 'zstd' | 'snappy' | 'gzip' | null,
];

/** The formats that the claims about files are about. */
export const FILE_FORMATS: readonly FileFormat[] = [
  ['Parquet', 'zstd'],
  ['Parquet', 'snappy'],
  ['JSONLines', null],
  ['JSONLines', 'zstd'],
  ['JSONLines', 'gzip'],
];

import type { Column } from '../models/events.ts';

/** How ClickHouse is made to emit a file's final bytes. */
export interface Format {
  /** The ClickHouse output format. */
  readonly engineFormat: 'Parquet' | 'LineAsString';
  /** Compression of the file as a whole; Parquet compresses inside. */
  readonly codec: Codec | null;
  readonly contentType: string;
  readonly settings: Readonly<Record<string, string | number>>;
  /** The uuid of an encoded row, as SQL over the columns of `selectList`. */
  readonly rowUuid: string;
  /** The SELECT list over undecorated columns. */
  selectList(columns: readonly Column[]): string;
}

/** ClickHouse's names, as `file()` and HTTP know them. */
export type Codec = 'gzip' | 'br' | 'zstd';

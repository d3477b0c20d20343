import type { Readable } from 'node:stream';

/**
 * The port through which everything reads and writes ClickHouse, embedded or grown. All failures are
 * SluiceErrors of the `warehouse_*` family, classified by ClickHouse's exception code.
 */
export interface Warehouse {
  /** The whole (small) answer as parsed rows. 64-bit integers arrive as strings. */
  rows<Row>(query: Query): Promise<Row[]>;
  /**
   * Runs a statement without an answer (DDL, INSERT … SELECT); resolves when it is done. After an abort of `signal`,
   * rejects when it is gone.
   */
  command(query: Query): Promise<void>;
  /**
   * The answer as the exact bytes ClickHouse encoded (and compressed). A failure after the first byte
   * destroys the stream with a SluiceError: a truncated answer never looks complete. Destroying the
   * stream, or aborting `signal`, stops the query.
   */
  bytes(query: Query & Encoding): Promise<Readable>;
  /** Inserts rows already encoded in `format`; resolves only when ClickHouse has stored them. */
  insert(insert: Insert): Promise<void>;
  /** Stops a query by id; resolves when it is gone or was not there. */
  kill(queryId: string): Promise<void>;
  ping(): Promise<void>;
  close(): Promise<void>;
  /** True when the engine shares this machine's file system and may read and write files by path. */
  readonly localFiles: boolean;
}

export interface Query {
  readonly sql: string;
  /** Values for `{name:Type}` placeholders; never spliced into the SQL text. */
  readonly params?: Readonly<Record<string, unknown>>;
  readonly settings?: Readonly<Record<string, string | number>>;
  /** Chosen by the caller so that the query can be killed from another process. */
  readonly queryId?: string;
  readonly signal?: AbortSignal;
  /** Short, and much waits for it: it does not wait behind the long answers of others for a connection. */
  readonly prompt?: boolean;
}

export interface Encoding {
  /** A ClickHouse output format, e.g. `Parquet`, `LineAsString`. The SQL has no FORMAT clause. */
  readonly format: string;
  /** Compression of the whole stream by ClickHouse (JSON Lines); Parquet compresses inside the file. */
  readonly compression?: 'gzip' | 'br' | 'zstd';
}

export interface Insert {
  readonly table: string;
  readonly columns?: readonly string[];
  /** A ClickHouse input format, e.g. `JSONEachRow`, `Parquet`. */
  readonly format: string;
  readonly body: Buffer | Readable;
  readonly contentEncoding?: 'gzip' | 'br' | 'zstd';
  readonly settings?: Readonly<Record<string, string | number>>;
  readonly signal?: AbortSignal;
}

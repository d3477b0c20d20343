import type { Region } from '../database/tables.ts';

export type Model = 'events' | 'persons' | 'sessions' | 'hogql';
export type FileFormat = 'Parquet' | 'JSONLines';
export type Compression = 'zstd' | 'lz4' | 'snappy' | 'gzip' | 'brotli';

/** Everything one run needs to know, frozen when it is planned. Knows no HTTP and no schedule. */
export interface RunSpec {
  readonly runId: string;
  readonly exportId: string;
  readonly teamId: number;
  readonly model: Model;
  /** Milliseconds since the epoch; start null = from the beginning of time. Names files and prefixes. */
  readonly interval: { readonly start: number | null; readonly end: number };
  /** The rows this run delivers: inside `region` and inside none of `excludes`. */
  readonly region: Region;
  readonly excludes: readonly Region[];
  readonly includeEvents: readonly string[];
  readonly excludeEvents: readonly string[];
  readonly filters: readonly Readonly<Record<string, unknown>>[];
  /**
   * Ends the names of the run's files, after the interval: what keeps them apart from those of other outputs of
   * the same interval (a live run, another backfill). Absent for live runs and for what repeats them; the same for
   * all runs that share an output. Letters, digits, `-` and `_`.
   */
  readonly keySuffix?: string;
  readonly destination: DestinationSetup;
}

/** What a destination gets to open itself: stored config, integration and secrets already merged. */
export interface DestinationSetup {
  readonly type: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** Public and secret parts of the integration; empty when there is none. Never logged. */
  readonly integration: Readonly<Record<string, unknown>>;
  /**
   * The folder of SLUICE_FILES_ROOT that the project's organization writes to; null = the root itself, but for the folders of
   * other organizations; absent = all of the root.
   */
  readonly folder?: string | null;
}

/** The file-shaped part of a destination's config, defaults applied. */
export interface FileOptions {
  readonly format: FileFormat;
  readonly compression: Compression | null;
  readonly prefix: string;
  /** Null = one file, however large. MiB, measured after compression (engine.md §3). */
  readonly maxFileSizeMb: number | null;
  /** Codec-bearing Parquet names, `x.parquet.zst` (contract.md §5). */
  readonly legacyParquetExtension: boolean;
}

/** `part` of `of` by a hash of the uuid; `0/1` is the whole interval. */
export interface Slice {
  readonly part: number;
  readonly of: number;
}

export const sliceName = (slice: Slice): string => `${slice.part}/${slice.of}`;

/**
 * An order-independent fingerprint of a set of events: the sums, modulo 2^64, of the high and of the
 * low halves of all uuids, as decimal text. Any reader can recompute it.
 */
export interface Fingerprint {
  readonly high: string;
  readonly low: string;
}

export interface Tally {
  readonly rows: number;
  readonly fingerprint: Fingerprint | null;
}

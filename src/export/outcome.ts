import type { Staged } from './destinations/destination.ts';
import { NO_ROWS } from './fingerprint.ts';
import type { Slice, Tally } from './spec.ts';

/** A finished slice, as the ledger keeps it: read, encoded, staged and counted. Plain JSON. */
export interface LedgerEntry {
  readonly slice: Slice;
  readonly rows: number;
  readonly bytes: number;
  readonly staged: Staged;
  /** An attempt takes it back, or did not get to the end of that: nobody goes on with it. */
  readonly withdrawn?: true;
}

/** The ledger of one claimed run. Every write carries the claim's attempt and fails once it is lost. */
export interface Ledger {
  entries(): Promise<readonly LedgerEntry[]>;
  /** Throws `run_superseded` when another worker holds the run, `run_cancelled` when it was cancelled. */
  record(entry: LedgerEntry): Promise<void>;
  forget(slice: Slice): Promise<void>;
  /**
   * Marks all entries as withdrawn and answers them; may be repeated. Also for runs that were cancelled or failed. Throws
   * `run_superseded` once a newer attempt has the run, or when it is Completed.
   */
  withdraw(): Promise<readonly LedgerEntry[]>;
  /** Called before anything becomes visible; throws as `record` does. */
  assertOwned(): Promise<void>;
  /**
   * Marks the run as one that removes what it replaces, before it does: from here on it is not cancelled, and a later
   * attempt goes on to its end. Throws as `record` does.
   */
  beginReplacing(): Promise<void>;
  /** Whether this attempt or an earlier one has begun to. Throws `run_superseded` once a newer one has the run. */
  isReplacing(): Promise<boolean>;
  /** What other runs of the same output left where this one writes: not this run's to take back. */
  previousKeys(): Promise<readonly string[]>;
  /** The same, of those that this run repeats and therefore replaces. */
  replaced(): Promise<readonly ReplacedFile[]>;
  /** What tells the files of this output from another export's, whichever of its runs wrote them last, this one included. */
  marks(): Promise<OutputMarks>;
  /** How the newest of those runs was cut, and the key of each of its slices. */
  previousSlices(): Promise<readonly PreviousSlice[]>;
}

export interface ReplacedFile {
  readonly key: string;
  /** Whether its run wrote a manifest beside it: any other one there is another export's. */
  readonly listed: boolean;
  /** Whoever asks for the removal knows what lies there: nobody looks whether another export has written there since. */
  readonly vouched?: true;
}

/** The ids of all runs of an output, and the receipts that the ledger keeps of their files. */
export interface OutputMarks {
  readonly runIds: readonly string[];
  readonly receipts: readonly Staged[];
}

export interface PreviousSlice {
  readonly slice: Slice;
  readonly key: string;
}

export interface Proof {
  /** Counted in the warehouse for the same bounds, before anything was written. */
  readonly source: Tally;
  /**
   * The sum of the ledger: what the encoder says it wrote where it keeps count (Parquet footers, lines of plain
   * JSON Lines that pass through Node), else the engine's count of each slice. Never has a fingerprint.
   */
  readonly written: Tally;
  /** Counted in what a reader of the destination gets. */
  readonly reread: Tally;
}

export interface Outcome {
  readonly files: readonly { key: string; bytes: number; rows: number }[];
  readonly rows: number;
  readonly bytes: number;
  /** JSON Lines: rows whose JSON had to be changed to be valid (formats/json-text.ts); they are exported. */
  readonly cleaned: number;
  readonly proof: Proof;
}

/** Of a run without rows. */
export const NO_OUTCOME: Outcome = {
  files: [],
  rows: 0,
  bytes: 0,
  cleaned: 0,
  proof: { source: NO_ROWS, written: NO_ROWS, reread: NO_ROWS },
};

/** What a run tells the world while it works. Texts end up in the export's log. */
export interface RunObserver {
  log(level: 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR', message: string): void;
  /** After planning: rows that will be exported. */
  planned(totalRows: number): void;
  progress(done: { rows: number; bytes: number }): void;
  /** Named moments, in order; the fault tests stop the process at them. */
  step(name: string): void;
}

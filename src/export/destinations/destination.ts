import type { Readable } from 'node:stream';
import type { TObject } from 'typebox';
import type { Clock } from '../../work/clock.ts';
import type { SocketLookup } from '../../work/hosts.ts';
import type { DestinationSetup, FileOptions } from '../spec.ts';
import type { Accepts } from './writes/write.ts';

/**
 * A destination is one object of this shape in one file, and one line in `index.ts`. Routes,
 * OpenAPI, validation and the contract suite follow from it.
 */
export interface Destination {
  readonly type: string;
  readonly title: string;
  /** Keys a user may send in `destination.config`; required ones are required (contract.md §5). */
  readonly config: TObject;
  /** Keys of the config that are sealed at rest and never returned. */
  readonly secretKeys: readonly string[];
  readonly integration: {
    readonly kind: string;
    /** Must be sent with every write of the destination; what is stored does not count. */
    readonly resent?: true;
    /** Exports from before integrations hold their own credentials and stay editable without one. */
    readonly inline?: true;
  } | null;
  /**
   * The destination's own rules on a complete config and the integration's public part; the first
   * problem is answered as 400 invalid_input with attr `destination`. Pure, no I/O.
   */
  check(config: Readonly<Record<string, unknown>>): string | null;
  /** Rules that look at the integration, at what was stored, or at hosts; after `check`. */
  readonly accepts?: Accepts;
  /** The config in the one shape that is kept. */
  readonly tidy?: (config: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>;
  /** Defaults applied; null for destinations that take no files. */
  files(config: Readonly<Record<string, unknown>>): FileOptions | null;
  /** Steps of the connection test, in order (contract.md §6); null = this type has none. */
  readonly testSteps: readonly TestStep[] | null;
  /** Its runs end with no records, and no row is read for them. */
  readonly takesNoRows?: true;
  /** Backfills may be without an end (contract.md §8.2 check 5). */
  readonly openEnded?: true;
  /** Null while the loader is not written: runs fail with `destination_not_available`. Also null with `takesNoRows`. */
  readonly open: ((setup: DestinationSetup, ports: DestinationPorts) => Promise<FileTarget>) | null;
  /** Where runs of earlier versions wrote; null = in the same place. */
  readonly openFormer?: (setup: DestinationSetup, ports: DestinationPorts) => Promise<FileTarget | null>;
}

export interface DestinationPorts {
  readonly clock: Clock;
  /** 0 ≤ x < 1, for backoff jitter. */
  readonly random: () => number;
  /** `SLUICE_FILES_ROOT`: the only place below which Filesystem may write. */
  readonly filesRoot: string;
  /** Throws SluiceError `destination_config` when the host may not be reached (SLUICE_ALLOWED_HOSTS). */
  readonly checkHost: (host: string) => Promise<void>;
  /** For connections to hosts that users name: it finds only addresses that may be reached. Absent = any address. */
  readonly lookup?: SocketLookup;
  /** Milliseconds of silence after which a destination is not waited for any more; absent = its own default. */
  readonly timeoutMs?: number;
  /** Told of each part of a file that the destination has taken; absent = nobody asks. */
  readonly onAnswer?: () => void;
  /** Told of each wait before an attempt is repeated, so that the run can show it. */
  readonly onRetry: (event: { what: string; attempt: number; waitMs: number; error: unknown }) => void;
}

/**
 * Where files go, in two steps: `stage` (nothing a reader of the destination would see) and `publish`
 * (all at once at the end). Every method may be repeated after a crash with the same effect. Errors are
 * SluiceErrors of the `destination_*` family, classified by the vendor's code.
 */
export interface FileTarget {
  /** Which place it is: keys of two targets name the same files exactly when these are equal. Holds no secret. */
  readonly place: string;
  /**
   * A path on this machine where the engine may write the staged file itself (parent directories made,
   * leftovers of the same name removed), or null when bytes must pass through `stage`.
   */
  stagingPath(slot: Slot): Promise<string | null>;
  /**
   * Takes the file from a stream or from the engine. One that the engine writes at `stagingPath` is finished there
   * (fsync, size); any other is read while it grows.
   */
  stage(slot: Slot, source: Readable | EngineFile, signal: AbortSignal): Promise<Staged>;
  /** Whether what an earlier process staged is still there and complete. An aborted `signal` ends it with its reason. */
  isStaged(staged: Staged, signal?: AbortSignal): Promise<boolean>;
  /** Makes the staged file readable under its key, replacing what was there. Idempotent. */
  publish(staged: Staged, signal: AbortSignal): Promise<Published>;
  /** Random access to what a reader of the destination gets, for the proof. */
  open(published: Published): Promise<RereadableFile>;
  /** Writes a small object (the manifest), replacing what was there. An aborted `signal` ends it where that takes long. */
  put(key: string, body: Buffer, contentType: string, signal?: AbortSignal): Promise<void>;
  /**
   * A small object (a manifest) whole; null when there is none, or a file of more than 16 MiB. `forbidden` when it may not be
   * read: some stores say so as well of what is not there.
   */
  get(key: string): Promise<Buffer | 'forbidden' | null>;
  /** What a key names: two keys name one file exactly when these are equal. */
  fileOf(key: string): Promise<string>;
  /**
   * What lies under a key: the very file that one of the receipts is for, another one, or nothing. What cannot be looked at
   * counts as another's. `listed`: a manifest of the same output lists the key. Where files have no mark of their own, one of
   * the same size is the very one, then, also after a restore that has changed its time.
   */
  holds(key: string, receipts: readonly Staged[], listed: boolean): Promise<'this' | 'other' | 'nothing'>;
  /** Removes a published key; missing is fine. */
  remove(key: string): Promise<void>;
  /** Undoes staging; missing is fine. */
  discard(staged: Staged): Promise<void>;
  /**
   * Undoes what was staged through this very object, but for the receipts in `keep`: for an attempt that lost its run and must
   * not touch what the newer one stages under the same keys at the same time.
   */
  discardOwn(keep: readonly Staged[]): Promise<void>;
  /**
   * Removes what attempts of this run before `attempt` staged and nobody will finish (orphan multipart
   * uploads, temporary files), except the receipts in `keep`. With `attempt` = Infinity: all of them. `owns` tells further
   * keys beside `keys` that are the run's: numbered files that no ledger knows. An aborted `signal` ends it with its reason.
   */
  sweep(
    runId: string,
    attempt: number,
    keys: readonly string[],
    keep: readonly Staged[],
    owns?: (key: string) => boolean,
    signal?: AbortSignal,
  ): Promise<void>;
  close(): Promise<void>;
}

/** A manifest of 10,000 files with the longest keys has 10 MB. */
export const MOST_SMALL_BYTES = 16 * 1024 * 1024;

/** A file that the engine is writing on this machine, from its first byte to its last. */
export interface EngineFile {
  readonly path: string;
  /** Settles when all is written, with the engine's error when it failed. */
  readonly written: Promise<void>;
}

/** One file of one attempt of one run. */
export interface Slot {
  readonly runId: string;
  readonly attempt: number;
  readonly key: string;
  readonly contentType: string;
  /** About how large the file will be; absent = not large. */
  readonly expectedBytes?: number;
}

/** A receipt that survives a crash in the ledger; plain JSON. `token` is the target's own. */
export interface Staged {
  readonly key: string;
  readonly bytes: number;
  readonly token: Readonly<Record<string, unknown>>;
}

export interface Published {
  readonly key: string;
  readonly bytes: number;
  /** ETag or the like, when the store gives one. */
  readonly tag: string | null;
  /** The store has said that it holds these very bytes under the key: nobody need ask again. */
  readonly confirmed?: true;
}

export interface RereadableFile {
  readonly bytes: number;
  /** The file's path when it lies on this machine, so that the engine can read it directly. */
  readonly path: string | null;
  /** Bytes `start` (inclusive) to `end` (exclusive). */
  read(start: number, end: number): Promise<Buffer>;
  stream(signal?: AbortSignal): Promise<Readable>;
}

export interface TestResult {
  readonly status: 'Passed' | 'Failed' | 'Skipped';
  /** Words for a person; null when it passed. */
  readonly message: string | null;
}

/** One step of a connection test. `run` throws what is wrong; the index in the list is the protocol. */
export interface TestStep {
  readonly name: string;
  readonly description: string;
  run(setup: DestinationSetup, ports: DestinationPorts): Promise<TestResult>;
}

import type { Kysely, Transaction } from 'kysely';
import type { BatchExportRow, Tables } from '../database/tables.ts';
import type { Destination, DestinationPorts } from '../export/destinations/destination.ts';
import type { Estimate } from '../export/estimate.ts';
import type { Query } from '../export/models/hogql/check.ts';
import type { RowCounter } from '../export/models/hogql/count.ts';
import type { Actor } from '../http/actor.ts';
import type { Caller, Project } from '../http/endpoint.ts';
import type { Clock } from '../work/clock.ts';
import type { HostGuard } from '../work/hosts.ts';
import type { DownloadSettings } from './downloads/settings.ts';
import type { RunKind } from './runs/snapshot.ts';

type Fields = Readonly<Record<string, unknown>>;

export type Db = Kysely<Tables>;
export type Trx = Transaction<Tables>;

/** Adds jobs in the caller's transaction; `startAfter` in milliseconds since the epoch, absent = now. */
export type Enqueue = (trx: Trx, runIds: readonly string[], startAfter?: number) => Promise<void>;

/** What everything that creates or ends runs needs. */
export interface RunPorts {
  readonly db: Db;
  readonly clock: Clock;
  /** Time-ordered UUIDs (version 7), rising within one millisecond, too. */
  readonly newId: () => string;
  readonly enqueue: Enqueue;
  /** 0 = runs start the moment their interval ends; 1 = the jitter of contract.md §13. */
  readonly jitterScale: number;
  /** Runs of one export's backfills that may be active at once. */
  readonly backfillParallelism: number;
  /** Nothing is begun here: to pause makes no run of what has ended, and to cancel takes nothing back. Absent = no. */
  readonly standby?: boolean;
  /** Told after the commit of each run that was cancelled, an export's unless `kind` says so, to stop it if this process has it. */
  readonly onRunCancelled: (runId: string, kind?: RunKind) => void;
}

/** An integration as this feature sees it. */
export interface FoundIntegration {
  readonly id: number;
  readonly kind: string;
  /** The public part. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** One row of the activity log: every mutating call leaves one. */
export interface Activity {
  readonly organizationId: string;
  readonly teamId: number;
  readonly userId: number;
  readonly scope: 'BatchExport';
  readonly itemId: string;
  readonly activity: string;
  readonly detail: Record<string, unknown>;
}

/** What the API needs on top. */
export interface ResourcePorts extends RunPorts {
  readonly destinations: ReadonlyMap<string, Destination>;
  /**
   * Null when the project has no such integration. Asks `db`, which is a transaction at times: on the embedded
   * database any other connection would wait for that transaction for ever.
   */
  readonly findIntegration: (db: Db | Trx, teamId: number, id: number) => Promise<FoundIntegration | null>;
  /** With its secrets, for use. Null when the project has none of this id. */
  readonly openIntegration: (
    teamId: number,
    id: number,
  ) => Promise<{ readonly config: Fields; readonly secrets: Fields } | null>;
  /** The projects of an organization that the caller may use. Throws `not_found`, `permission_denied`. */
  readonly projectsOf: (caller: Caller, organizationId: string | undefined) => Promise<readonly Project[]>;
  /** The number of an integration that holds an access key; null = the old type S3 is refused (contract.md §14). */
  readonly legacyS3: ((actor: Actor, key: AccessKey) => Promise<number>) | null;
  /** Which hosts a destination may name. */
  readonly hosts: Pick<HostGuard, 'problemWith' | 'names'>;
  readonly destinationPorts: Omit<DestinationPorts, 'onRetry' | 'clock'>;
  /** The folder of SLUICE_FILES_ROOT that a project writes to; null = the root itself. */
  readonly filesFolder: (teamId: number) => Promise<string | null>;
  /** `context` names the place the secret belongs to; it opens nowhere else. */
  readonly seal: (text: string, context: string) => string;
  readonly unseal: (sealed: string, context: string) => string;
  /** Writes in the caller's transaction: the row exists exactly when the change does. */
  readonly recordActivity: (trx: Trx, activity: Activity) => Promise<void>;
  /** Reads and checks a query of the model `hogql`; throws `invalid_input` at hogql_query (contract.md §4.3), `throttled`. */
  readonly readQuery: (text: string, teamId: number) => Promise<Query>;
  /** How many rows a query has now. */
  readonly countRows: RowCounter;
  /**
   * The moment before which everything arrived that clients of a project know to be stored, milliseconds since the epoch: a
   * little after now, or later where arrival stamps are ahead of the clock.
   */
  readonly arrivedBefore: (teamId: number) => Promise<number>;
  /** What a range holds by event time, of what had arrived by `arrivalBefore`; null = that cannot be said now. */
  readonly estimate: (batchExport: BatchExportRow, range: EstimateRange) => Promise<Estimate | null>;
  /** Backfills of a project in Starting or Running; one more answers 429 (contract.md §8.2). */
  readonly maxBackfills: number;
  readonly downloads: DownloadSettings;
  /** Closed gates answer as contract.md §1.8 says. */
  readonly gates: Gates;
}

export interface Gates {
  readonly highFrequency: boolean;
  readonly hogql: boolean;
  readonly workflows: boolean;
  readonly earliestBackfill: boolean;
}

/** Milliseconds since the epoch; start null = all history, end null = whatever has arrived. */
export interface EstimateRange {
  readonly start: number | null;
  readonly end: number | null;
  readonly arrivalBefore: number;
}

/** As the old type S3 has it in its config. `endpoint` null = Amazon's own. */
export interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly endpoint: string | null;
}

export type { Actor };

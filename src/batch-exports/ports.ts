import type { Kysely, Transaction } from 'kysely';
import type { Tables } from '../database/tables.ts';
import type { Clock } from '../work/clock.ts';

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
  /** Told after the commit of each run that was cancelled, to stop it if this process has it. */
  readonly onRunCancelled: (runId: string) => void;
}

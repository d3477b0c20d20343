import { sql, type UpdateObject } from 'kysely';
import type { RunRow, Tables } from '../../database/tables.ts';
import { SluiceError } from '../../errors/error.ts';
import { appendLog } from '../logs.ts';
import type { Db, Enqueue, Trx } from '../ports.ts';
import { askOf } from './ask.ts';
import { statesAccepting } from './machine.ts';
import type { Plan } from './regions.ts';
import { atWorkElsewhere } from './seen.ts';
import type { RunSnapshot } from './snapshot.ts';

/** A worker's hold on a run. Every write carries it and is refused once a newer claim exists (R2). */
export interface Claim {
  readonly id: string;
  readonly attempt: number;
}

/** A run as the worker that claimed it sees it. Times in milliseconds since the epoch. */
export interface ClaimedRun extends Claim {
  /** Earlier attempts that failed. */
  readonly failures: number;
  /** Those of them that were bugs. */
  readonly bugs: number;
  /** Claims in a row before this one that ended without a word. */
  readonly silentClaims: number;
  /** What the run shows of its troubles so far. */
  readonly latestError: string | null;
  readonly teamId: number;
  readonly exportId: string;
  readonly backfillId: string | null;
  readonly interval: { readonly start: number | null; readonly end: number };
  /** The arrival watermark must have reached this before the run may read. */
  readonly readableFrom: number;
  readonly snapshot: RunSnapshot;
  /** Null until the first plan. */
  readonly plan: Plan | null;
  readonly createdAt: number;
}

export interface ClaimOptions {
  readonly runId: string;
  readonly worker: string;
  readonly now: number;
  /** The same process has tried before: whether that claim was stored is not known, and it did not die of it. */
  readonly again?: boolean;
  /** The attempt that this worker had: the run is taken only if no other worker has claimed it since. */
  readonly held?: number | null;
  /** Not while another worker is at work on it that was seen in the last so many seconds. */
  readonly spareSeconds?: number | undefined;
  /** Not while its next attempt is yet to come (`beforeItsTime`). */
  readonly inTime?: boolean;
}

/**
 * Takes a run: raises `attempt`, which fences whoever had it before (R1, R2). Null when there is nothing left to do:
 * the run has ended or is not known, or another worker has it that the options do not let go.
 */
export async function claimRun(db: Db, options: ClaimOptions): Promise<ClaimedRun | null> {
  const taken = db
    .updateTable('batch_export_runs')
    .set({
      attempt: sql`attempt + 1`,
      // Until something is said of this claim.
      silent_claims: options.again ? sql<number>`greatest(silent_claims, 1)` : sql<number>`silent_claims + 1`,
      status: 'Running',
      worker: options.worker,
      seen_at: sql<Date>`now()`,
      next_attempt_at: null,
      last_updated_at: new Date(options.now),
    })
    .where('id', '=', options.runId)
    .where('status', 'in', statesAccepting('claim'))
    .$if(options.inTime ?? false, (query) => query.where(({ not }) => not(beforeItsTime(options.now))))
    .$if(options.spareSeconds !== undefined, (query) =>
      query.where(({ not }) => not(atWorkElsewhere(options.worker, options.spareSeconds as number))),
    )
    // The reply to a claim may have been lost: an attempt that is not known here may be its own.
    .$if(typeof options.held === 'number', (query) =>
      query.where(({ eb, or }) =>
        or([eb('attempt', '=', options.held as number), eb('worker', '=', options.worker)]),
      ),
    );
  const row = await taken.returningAll().executeTakeFirst();
  return row ? claimedRun(db, row) : null;
}

/**
 * No attempt is further away: the longest waits are ten minutes, and the clocks of two processes may differ by some. What is
 * was decided by a clock that has been set back since.
 */
export const TOO_FAR_MS = 1_200_000;

/** Of a run: whether it waits for its next attempt, at `now`. */
export const beforeItsTime = (now: number) => sql<boolean>`
  coalesce(next_attempt_at > ${new Date(now)} and next_attempt_at < ${new Date(now + TOO_FAR_MS)}, false)`;

/** A run that is known to be there. */
export function runById(db: Db | Trx, id: string): Promise<RunRow> {
  return db.selectFrom('batch_export_runs').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
}

/** A run's row as its worker sees it, without a claim. */
export async function claimedRun(db: Db, row: RunRow): Promise<ClaimedRun> {
  const { region } = await askOf(db, row);
  return {
    id: row.id,
    attempt: row.attempt,
    failures: row.failures,
    bugs: row.bugs,
    silentClaims: row.silent_claims - 1,
    latestError: row.latest_error,
    teamId: row.team_id,
    exportId: row.batch_export_id,
    backfillId: row.backfill_id,
    interval: {
      start: row.data_interval_start?.getTime() ?? null,
      end: row.data_interval_end.getTime(),
    },
    readableFrom: region.arrivalTo ?? row.data_interval_end.getTime(),
    snapshot: row.snapshot as unknown as RunSnapshot,
    plan: row.region ? { region: row.region, excludes: row.excludes ?? [] } : null,
    createdAt: row.created_at.getTime(),
  };
}

/** Throws `run_superseded` or `run_cancelled` when the claim does not hold the run any more. */
export async function assertClaim(db: Db | Trx, claim: Claim): Promise<void> {
  const held = await db
    .selectFrom('batch_export_runs')
    .select('id')
    .where('id', '=', claim.id)
    .where('attempt', '=', claim.attempt)
    .where('status', '=', 'Running')
    .executeTakeFirst();
  if (!held) throw await lost(db, claim);
}

/** Of several claims, those that are lost, and why: for a worker that watches over its runs. */
export async function lostClaims(
  db: Db,
  claims: readonly Claim[],
): Promise<readonly (Claim & { readonly why: SluiceError })[]> {
  if (claims.length === 0) return [];
  const rows = await db
    .selectFrom('batch_export_runs')
    .select(['id', 'attempt', 'status'])
    .where(
      'id',
      'in',
      claims.map((claim) => claim.id),
    )
    .execute();
  return claims.flatMap((claim) => {
    const row = rows.find((candidate) => candidate.id === claim.id);
    if (row?.status === 'Running' && row.attempt === claim.attempt) return [];
    return [{ id: claim.id, attempt: claim.attempt, why: reason(row?.status) }];
  });
}

/** Shows how many rows the run will export. */
export async function setPlanned(db: Db, claim: Claim, total: number, now: number): Promise<void> {
  await write(db, claim, { records_total_count: total, last_updated_at: new Date(now) });
}

/** Shows how far the run is. */
export async function setProgress(
  db: Db,
  claim: Claim,
  done: { readonly rows: number; readonly bytes: number },
  now: number,
): Promise<void> {
  await write(db, claim, {
    records_completed: done.rows,
    bytes_exported: done.bytes,
    last_updated_at: new Date(now),
  });
}

/** Keeps the failure on the run, counts it, and enqueues the next attempt, in one transaction. The run stays Running. */
export async function setRetrying(
  db: Db,
  enqueue: Enqueue,
  claim: Claim,
  failure: {
    readonly at: number;
    readonly error: string;
    readonly now: number;
    readonly bug?: boolean;
    /** Claims in a row that still count as silent: 0, the default, when this one tells why it failed. */
    readonly silentClaims?: number;
  },
): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await write(trx, claim, {
      next_attempt_at: new Date(failure.at),
      latest_error: storable(failure.error),
      failures: sql<number>`failures + 1`,
      ...(failure.bug ? { bugs: sql<number>`bugs + 1` } : {}),
      silent_claims: failure.silentClaims ?? 0,
      last_updated_at: new Date(failure.now),
    });
    await enqueue(trx, [claim.id], failure.at);
  });
}

/**
 * Puts a run that may not go on yet back into the queue for `at`. A run that has shown no trouble so far shows `reason` from
 * now on, and its log says so once.
 */
export async function postponeRun(
  db: Db,
  enqueue: Enqueue,
  run: ClaimedRun,
  { at, now, reason }: { readonly at: number; readonly now: number; readonly reason?: string | undefined },
): Promise<void> {
  const told = reason !== undefined && run.latestError === null ? reason : null;
  await db.transaction().execute(async (trx) => {
    await write(trx, run, {
      next_attempt_at: new Date(at),
      ...(told === null ? {} : { latest_error: told }),
      silent_claims: 0,
      last_updated_at: new Date(now),
    });
    await enqueue(trx, [run.id], at);
    if (told === null) return;
    const { teamId, exportId } = run;
    await appendLog(trx, [{ teamId, exportId, runId: run.id, level: 'WARNING', message: told }], now);
  });
}

/** Postgres text cannot hold NUL. */
export const storable = (text: string): string => text.replaceAll('\0', '').toWellFormed();

type RunUpdate = UpdateObject<Tables, 'batch_export_runs'> & { readonly last_updated_at: Date };

/** The fenced write: all of it, or `run_superseded` / `run_cancelled`. */
export async function write(db: Db | Trx, claim: Claim, values: RunUpdate): Promise<void> {
  const result = await db
    .updateTable('batch_export_runs')
    .set(values)
    .where('id', '=', claim.id)
    .where('attempt', '=', claim.attempt)
    .where('status', '=', 'Running')
    .executeTakeFirst();
  if (result.numUpdatedRows !== 1n) throw await lost(db, claim);
}

async function lost(db: Db | Trx, claim: Claim): Promise<SluiceError> {
  const row = await db
    .selectFrom('batch_export_runs')
    .select('status')
    .where('id', '=', claim.id)
    .executeTakeFirst();
  return reason(row?.status);
}

const reason = (status: string | undefined): SluiceError =>
  new SluiceError(status === 'Cancelled' ? 'run_cancelled' : 'run_superseded');

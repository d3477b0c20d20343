import { kindOf, SluiceError } from '../../errors/error.ts';
import { withdraw } from '../../export/withdraw.ts';
import type { Log } from '../../work/log.ts';
import type { Queue } from '../../work/queue.ts';
import { appendLog } from '../logs.ts';
import type { Db } from '../ports.ts';
import { type ExecutePorts, openTarget } from './execute.ts';
import { forgetEnded, openLedger, readEntries } from './ledger.ts';
import { ACTIVE_RUN_STATES, type RunState } from './machine.ts';
import { keySuffix } from './output-name.ts';
import { inTurn, type Places, placeOf } from './places.ts';
import { runsOfOutput } from './predecessors.ts';
import { type ClaimedRun, claimedRun, runById } from './store.ts';

/** States in which a run has no outcome and nobody will go on with what it staged. */
const WITHOUT_OUTCOME: readonly string[] = ['Cancelled', 'Failed', 'FailedRetryable'] satisfies RunState[];

/** Between two attempts at a store that is away. */
const AGAIN_MS = 600_000;
/** As long as a run itself is tried. */
const LONGEST_MS = 86_400_000;
/** Keys that a line of the log names. */
const MOST_NAMED = 20;

export interface TidyPorts extends ExecutePorts {
  readonly places: Places;
}

export interface TidyToTheEndPorts extends TidyPorts {
  readonly log: Log;
  readonly queue: Pick<Queue, 'withoutJob'>;
}

/**
 * As `tidyRun`, and sees that it comes to an end: what cannot be taken back now has a job that tries again, for a day after the
 * run ended; then, or when trying again is no use, the export's log says what may remain. Throws when neither could be
 * stored: then the job at hand is not done. Of several jobs of a run the last one goes on: each would say so once more.
 */
export async function tidyToTheEnd(ports: TidyToTheEndPorts, runId: string): Promise<void> {
  const result = await tidyRun(ports, runId).catch((error: unknown) => ({ error }));
  if (result === null) return;
  const withoutOther = await ports.queue.withoutJob(ports.db, [runId], 'waiting');
  if (withoutOther.length === 0) return;
  const wait = typeof result === 'number' ? result : await notTidied(ports, runId, result.error);
  if (wait === null) return;
  const at = ports.clock.now() + wait;
  await ports.db.transaction().execute((trx) => ports.enqueue(trx, [runId], at));
}

/** The milliseconds after which to try again; null = not any more, and the log says so. */
async function notTidied(
  ports: Pick<TidyToTheEndPorts, 'db' | 'clock' | 'log'>,
  runId: string,
  error: unknown,
): Promise<number | null> {
  const run = await runById(ports.db, runId);
  ports.log.warn({ err: error, run: runId }, 'leftovers of a run remain');
  const now = ports.clock.now();
  const endedAt = run.finished_at?.getTime() ?? now;
  if (kindOf(error) === 'retry' && now - endedAt < LONGEST_MS) return AGAIN_MS;
  const keys = (await readEntries(ports.db, runId)).map(({ staged }) => staged.key);
  const common = { teamId: run.team_id, exportId: run.batch_export_id, runId, level: 'WARNING' as const };
  await appendLog(ports.db, [{ ...common, message: remains(keys, error) }], now);
  return null;
}

function remains(keys: readonly string[], error: unknown): string {
  const named = keys.slice(0, MOST_NAMED).join(', ');
  const more = keys.length > MOST_NAMED ? ` and ${keys.length - MOST_NAMED} more` : '';
  const why = error instanceof SluiceError ? error.message : 'The log of the server has the details.';
  return (
    `What this run left at its destination could not be taken back, and is not tried any more: ${why} ` +
    `What may remain: ${keys.length === 0 ? 'uploads that nobody will complete' : `${named}${more}`}. ` +
    'Retry the run, which writes over its files; a backfill of its interval exports their events once more.'
  );
}

/**
 * Takes back what a run left at its destination when it ended without an outcome and its attempt did not do so itself, or
 * not to the end: cancelled while it waited for its next attempt, or while its store was away, or given up after the last.
 * May be repeated. Null = done; else the milliseconds after which to ask again, because the place does not answer and others
 * look whether it does, or because a run that repeats this one is under way: its uploads have the same keys.
 */
export async function tidyRun(ports: TidyPorts, runId: string): Promise<number | null> {
  const row = await ports.db
    .selectFrom('batch_export_runs')
    .selectAll()
    .where('id', '=', runId)
    .executeTakeFirst();
  // The files that it was to replace may be gone: its own stay.
  if (!row || row.replacing || !WITHOUT_OUTCOME.includes(row.status)) return null;
  const run = await claimedRun(ports.db, row);
  // An attempt that failed for good has cleared away itself. One that was planned and to be tried again may have left what
  // no ledger knows.
  const leftUnknown = row.region !== null && row.status !== 'Failed';
  if (!leftUnknown && (await readEntries(ports.db, runId)).length === 0) return null;
  if (await isRepeated(ports.db, runId)) return AGAIN_MS;
  const place = placeOf(run.snapshot);
  const answers = () => ports.places.answers(place);
  return await inTurn(ports.places, place, async () => {
    await takeBack(ports, run, answers);
    answers();
  });
}

/** Whether another run of the same output has yet to end. */
async function isRepeated(db: Db, runId: string): Promise<boolean> {
  const active = await db
    .selectFrom('batch_export_runs')
    .select('id')
    .where('id', 'in', await runsOfOutput(db, runId))
    .where('id', '<>', runId)
    .where('status', 'in', [...ACTIVE_RUN_STATES])
    .executeTakeFirst();
  return active !== undefined;
}

async function takeBack(ports: ExecutePorts, run: ClaimedRun, onAnswer: () => void): Promise<void> {
  const { target, files, setup } = await openTarget(ports, run, onAnswer);
  try {
    const suffix = await keySuffix(ports.db, run);
    const spec = {
      runId: run.id,
      interval: run.interval,
      model: 'events' as const,
      destination: setup,
      ...(suffix === undefined ? {} : { keySuffix: suffix }),
    };
    const ledger = openLedger(ports.db, ports.clock, run, target.place);
    const kept = files ? await withdraw(spec, { target, files, ledger }) : [];
    await forgetEnded(ports.db, run.id, kept);
  } finally {
    await target.close();
  }
}

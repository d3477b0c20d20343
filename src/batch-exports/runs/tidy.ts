import { withdraw } from '../../export/withdraw.ts';
import { type ExecutePorts, openTarget } from './execute.ts';
import { forgetEnded, openLedger, readEntries } from './ledger.ts';
import type { RunState } from './machine.ts';
import { keySuffix } from './output-name.ts';
import { inTurn, type Places, placeOf } from './places.ts';
import { type ClaimedRun, claimedRun } from './store.ts';

/** States in which a run has no outcome and nobody will go on with what it staged. */
const WITHOUT_OUTCOME: readonly string[] = ['Cancelled', 'Failed', 'FailedRetryable'] satisfies RunState[];

/**
 * Takes back what a run left at its destination when it ended without an outcome and no attempt was under way
 * to do so itself: cancelled while it waited for its next attempt, or given up after the last. May be repeated. Null =
 * done; else the milliseconds after which to ask again, because the place does not answer and others look whether it does.
 */
export async function tidyRun(
  ports: ExecutePorts & { readonly places: Places },
  runId: string,
): Promise<number | null> {
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
  return await inTurn(ports.places, placeOf(run.snapshot), () => takeBack(ports, run));
}

async function takeBack(ports: ExecutePorts, run: ClaimedRun): Promise<void> {
  const { target, files, setup } = await openTarget(ports, run);
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

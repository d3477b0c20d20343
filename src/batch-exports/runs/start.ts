import { kindOf, SluiceError } from '../../errors/error.ts';
import type { RunObserver } from '../../export/outcome.ts';
import { arrivalWatermark } from '../../export/watermark.ts';
import { complaints, type Report } from '../../work/complaints.ts';
import type { Log } from '../../work/log.ts';
import { loop } from '../../work/loop.ts';
import type { Queue } from '../../work/queue.ts';
import { tick } from '../schedule/tick.ts';
import { claimForJob } from './claim.ts';
import { openCountsAhead } from './counts-ahead.ts';
import { endEmptyRuns } from './empty.ts';
import { type ExecutePorts, executeRun } from './execute.ts';
import { finishRun } from './finish.ts';
import type { RunMonitor } from './monitor.ts';
import { adoptOrphans, enqueueForgotten } from './orphans.ts';
import { createPlaces, placeOf } from './places.ts';
import { letGo, markSeen } from './seen.ts';
import { createSight } from './sight.ts';
import { runKind } from './snapshot.ts';
import { type ClaimedRun, lostClaims, postponeRun, setRetrying } from './store.ts';
import { tidyToTheEnd } from './tidy.ts';
import { createWorker } from './worker.ts';

export interface RunsPorts extends Omit<ExecutePorts, 'onRunCancelled' | 'countsAhead'> {
  readonly queue: Queue;
  readonly log: Log;
  readonly monitor: RunMonitor;
  readonly random: () => number;
  /** The wait after a run's first failed attempt, milliseconds. */
  readonly retryMs: number;
  /** This process; no other has the same name. */
  readonly workerName: string;
  /** Runs at once in this process. */
  readonly concurrency: number;
  /** Milliseconds after an interval's end before it is read; by its length. */
  readonly settleMs: (interval: string) => number;
  readonly oldestInFlight: () => number | null;
  /** Told of every watermark that lets runs read, milliseconds since the epoch: nothing may arrive below it any more. */
  readonly onPassed: (ms: number) => void;
  /** Told whether the warehouse holds all live runs back for minutes. */
  readonly heldBack?: Report;
  /** Whether no other process can be working on this database, so that every active run is an orphan. */
  readonly alone: boolean;
}

export interface Runs {
  readonly onRunCancelled: ExecutePorts['onRunCancelled'];
  /** Begins to schedule and to work. */
  start(): Promise<void>;
  /** Takes no more; gives what runs `graceMs`, then leaves it to be resumed. */
  stop(graceMs: number): Promise<void>;
}

const TICK_MS = 500;
/** Exports per tick. */
const TICK_LIMIT = 50;
/** Between two ticks when one was not enough: requests of the API come first. */
const BREATH_MS = 20;
/** A cancel in another process is noticed after this long, and so often the others see which runs are in good hands. */
const WATCH_MS = 2_000;

/** Between two looks for runs that nobody will come back to. */
const FORGOTTEN_MS = 600_000;
/** No run rests for so long that has a job and a process to take it. */
const OVERDUE_MS = 3_600_000;

/** The moving part of batch exports: the tick that creates runs and the worker that executes them. */
export function createRunService(given: RunsPorts): Runs {
  const ports: ExecutePorts = {
    ...given,
    countsAhead: openCountsAhead(given),
    onRunCancelled: (id, kind = 'export') => {
      monitor.ended(kind, 'Cancelled');
      worker.abort(id, cancelled());
    },
  };
  const { db, clock, queue, log, monitor } = given;
  const sight = createSight(clock);
  const places = createPlaces(given.concurrency, clock);
  // What was once below the watermark stays below it: of 10,000 runs due at once, one asks the warehouse.
  const watermarks = new Map<number, number>();
  const watermark = async (interval: string, wanted: number): Promise<number> => {
    const settleMs = given.settleMs(interval);
    const known = watermarks.get(settleMs);
    if (known !== undefined && known >= wanted) return known;
    const { warehouse, oldestInFlight } = given;
    const reached = await arrivalWatermark({
      warehouse,
      clock,
      settleMs,
      oldestInFlight,
      report: given.heldBack,
    });
    given.onPassed(reached);
    watermarks.set(settleMs, Math.max(reached, known ?? reached));
    return reached;
  };
  const worker = createWorker<ClaimedRun>({
    clock,
    random: given.random,
    retryMs: given.retryMs,
    log,
    claim: (runId, again, held) => {
      const spareSeconds = given.alone ? undefined : sight.patience();
      const options = { runId, worker: given.workerName, now: clock.now(), again, held, spareSeconds };
      return claimForJob(given, options);
    },
    goesOn: async (run) =>
      (await lostClaims(db, [run])).length === 0 && (await queue.withoutJob(db, [run.id])).length === 0,
    // Whoever is next waits some seconds otherwise.
    letGo: (run) => letGo(db, run).catch(() => {}),
    later: (runId, at) => db.transaction().execute((trx) => given.enqueue(trx, [runId], at)),
    watermark: (run) => watermark(run.snapshot.interval, run.readableFrom),
    postpone: (run, at, reason) => postponeRun(db, given.enqueue, run, { at, now: clock.now(), reason }),
    places,
    placeOf: (run) => placeOf(run.snapshot),
    execute: async (run, signal, onAnswer) => {
      await executeRun(ports, run, signal, onAnswer);
      monitor.ended(runKind(run.snapshot.destination.type), 'Completed');
    },
    retry: async (run, error, next) => {
      const wait = Math.round((next.at - clock.now()) / 1000);
      const failure = { error: describe(error), bug: kindOf(error) === 'bug', now: clock.now() };
      await setRetrying(db, given.enqueue, run, { ...next, ...failure });
      // Not before: a run whose completion was stored and whose answer was lost has not failed.
      say(run, 'WARNING', `Attempt ${run.attempt} failed: ${describe(error)} Next attempt in ${wait} s.`);
      monitor.attemptFailed(run, error, wait);
    },
    fail: async (run, error, status) => {
      const { paused } = await finishRun(ports, run, { status, error: describe(error) });
      monitor.attemptFailed(run, error, null);
      monitor.ended(runKind(run.snapshot.destination.type), status);
      if (paused) monitor.exportPaused(run);
    },
    tidy: (runId) => tidyToTheEnd({ ...ports, places, log, queue }, runId),
  });
  const say = (run: ClaimedRun, ...[level, message]: Parameters<RunObserver['log']>) =>
    given.logs.write({ teamId: run.teamId, exportId: run.exportId, runId: run.id, level, message });

  let lastLooked: string | null = null;
  const loops: { stop(): Promise<void> }[] = [];
  const every = (ms: number, turn: () => Promise<number | undefined>, what: string) =>
    loops.push(loop(clock, ms, turn, complaints(log, clock, what)));

  return {
    onRunCancelled: ports.onRunCancelled,
    start: async () => {
      if (given.alone) await adoptOrphans(given);
      await queue.work(given.concurrency, (runId, signal) => worker.handle(runId, signal));
      every(TICK_MS, () => turn(), 'the tick failed');
      every(WATCH_MS, () => watch(), 'watching over runs failed');
      every(FORGOTTEN_MS, () => remember(), 'looking for forgotten runs failed');
    },
    stop: async (graceMs) => {
      await Promise.all(loops.map((each) => each.stop()));
      const patience = setTimeout(() => worker.interrupt(), graceMs / 2);
      try {
        await queue.stop(graceMs);
      } finally {
        clearTimeout(patience);
        await given.logs.flush();
      }
    },
  };

  /** One after the other, so that the lists of the API wait for one of them at most; soon again when more is waiting. */
  async function turn(): Promise<number | undefined> {
    const { created, nextDueAt } = await tick(ports, TICK_LIMIT);
    const looked = await endEmptyRuns({ ...given, watermark }, lastLooked);
    lastLooked = looked.last;
    if (looked.ended > 0) monitor.ended('export', 'Completed', looked.ended);
    const due = created.length > 0 && nextDueAt !== null && nextDueAt <= clock.now();
    return due || looked.more ? BREATH_MS : undefined;
  }

  async function watch(): Promise<undefined> {
    if (!given.alone) await markSeen(db, worker.claims());
    // The answer may be late: by then this process may have claimed the run anew.
    for (const { id, attempt, why } of await lostClaims(db, worker.claims())) worker.abort(id, why, attempt);
    sight.looked();
  }

  async function remember(): Promise<undefined> {
    const forgotten = await enqueueForgotten(given, clock.now() - OVERDUE_MS);
    if (forgotten > 0)
      log.warn(
        { runs: forgotten },
        'active runs had no job, or one for a time that a wrong clock told, and were put back into the queue',
      );
  }
}

const cancelled = () => new SluiceError('run_cancelled');

/** What a person reads on the run. Details of a bug stay in the server's log. */
function describe(error: unknown): string {
  if (error instanceof SluiceError) return error.message;
  return 'Something unexpected went wrong; the log of the server has the details.';
}

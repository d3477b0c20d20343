import type { ErrorKind } from '../../errors/catalogue.ts';
import { kindOf, SluiceError } from '../../errors/error.ts';
import type { Clock } from '../../work/clock.ts';
import { complaints } from '../../work/complaints.ts';
import type { Log } from '../../work/log.ts';
import { inTurn, type Places } from './places.ts';
import { afterFailure } from './retry-policy.ts';

/** What the worker needs of a claimed run (`ClaimedRun`), whatever it exports and wherever to. */
export interface WorkableRun {
  readonly id: string;
  readonly attempt: number;
  /** Earlier attempts that failed; one that only had to wait, or was taken over, is none. */
  readonly failures: number;
  /** Those of them that were bugs. */
  readonly bugs: number;
  /** Claims in a row before this one that ended without a word: the process died, or was stopped. */
  readonly silentClaims: number;
  /** Milliseconds since the epoch: rows that arrived before it are what the run reads. */
  readonly readableFrom: number;
}

export interface WorkerPorts<Run extends WorkableRun> {
  readonly clock: Clock;
  readonly random: () => number;
  /** The wait after a run's first failure, milliseconds. */
  readonly retryMs: number;
  readonly log: Log;
  /**
   * Raises the fence and returns the run, or null when there is nothing (more) to do. `again`: this process lives and has tried
   * before, so that the last claim did not end without a word. `held`: the attempt that it had; null as well, then, when another
   * process has claimed the run since, which has a job for it.
   */
  claim(runId: string, again: boolean, held: number | null): Promise<Run | null>;
  /** Whether a run whose job is lost is still held by this claim, and has a job all the same. */
  goesOn(run: Run): Promise<boolean>;
  /** Tells the others that nobody is at work on a run any more. Never throws. */
  letGo(run: Run): Promise<void>;
  /** Gives a run one more job, for `at`. */
  later(runId: string, at: number): Promise<void>;
  /** Arrival time below which nothing can appear any more. */
  watermark(run: Run): Promise<number>;
  /** Puts a claimed run whose time has not come yet back into the queue for `at`; `reason` is for a person who looks at it. */
  postpone(run: Run, at: number, reason?: string): Promise<void>;
  readonly places: Places;
  /** Where the run writes to, for `places`. */
  placeOf(run: Run): string;
  /**
   * Exports; resolves when the run's outcome is stored. Stops promptly when `signal` aborts. `onAnswer` is told when the
   * destination has taken something.
   */
  execute(run: Run, signal: AbortSignal, onAnswer: () => void): Promise<void>;
  /** Stores the failure, with how many claims still count as silent, and enqueues the next attempt, in one transaction. */
  retry(
    run: Run,
    error: unknown,
    next: { readonly at: number; readonly silentClaims: number },
  ): Promise<void>;
  fail(run: Run, error: unknown, status: 'Failed' | 'FailedRetryable'): Promise<void>;
  /** Takes back what a run without an outcome left at its destination, if it left anything, or has a job that will. */
  tidy(runId: string): Promise<void>;
}

export interface RunWorker {
  /**
   * The queue's handler. Never throws for a failure that it could store on the run; when it returns, the run needs no job
   * any more or has another.
   */
  handle(runId: string, signal: AbortSignal): Promise<void>;
  /**
   * Stops a run that was cancelled or superseded, if this process has it. With an `attempt`, only that one: what is known of
   * an older claim says nothing about the one that this process holds now.
   */
  abort(runId: string, why: SluiceError, attempt?: number): void;
  /** The claims this process holds, to be checked against the rows from time to time. */
  claims(): { readonly id: string; readonly attempt: number }[];
  /** Stops all runs here without an outcome: they resume elsewhere or at the next start. */
  interrupt(): void;
}

/** An interval that is readable this soon is waited for; a later one gives its place to others. */
const WAIT_HERE_MS = 2_000;
const POSTPONE_MS = 5_000;
/**
 * How far the watermark is may be anything: a replica that has just started says it is half a century behind. Then it
 * is looked at again.
 */
const LONGEST_POSTPONE_MS = 60_000;
const WAITS_FOR_ITS_PLACE =
  'The destination did not answer lately. One run at a time finds out whether it does again; this one waits for that.';
/** Between two attempts to go on while the database is away. */
const OUTAGE_MS = 1_000;
/**
 * A run that takes its process along each time would do so for ever, and at once: after so many times it counts as
 * failed and waits, then has one attempt. A kill, a crash of something else and a restart happen to a run in good
 * health, too.
 */
const SILENT_CLAIMS = 10;

/** A run that was killed at the wrong moment waits for so long once more. */
const LATER_MS = 10_000;

interface Active {
  readonly controller: AbortController;
  /** Its job is lost, and it stops. */
  stopping: boolean;
  /** The run has another job, for later: the loss of this one is no reason to stop. */
  hasLater: boolean;
  /** Resolves when it is known whether it goes on without its job. */
  decided: Promise<void>;
  /** Whether what became of the run is stored; else it needs a job. */
  readonly stored: Promise<boolean>;
}

/** Takes runs from the queue through claim, watermark, execution and verdict. */
export function createWorker<Run extends WorkableRun>(ports: WorkerPorts<Run>): RunWorker {
  const active = new Map<string, Active>();
  const held = new Map<string, Run>();
  let interrupted = false;
  const outage = complaints(ports.log, ports.clock, 'the database is away in the middle of a run');

  /**
   * The queue delivers at least once. After a kill, or after the database was away for a while, it delivers a job here that
   * names a run we are at work on. It may be the run's only one by then: reported as done, and our own taken for lost, it
   * would leave the run Running with nobody at work on it, for ever. Waited for here, it would keep its turn from other
   * runs for as long as ours takes. So the run gets another job, which comes back when we may be done.
   */
  const handle = async (runId: string, lost: AbortSignal): Promise<void> => {
    // Whoever returns says that the job is done.
    if (interrupted) throw new SluiceError('unavailable');
    for (let other = active.get(runId); other; other = active.get(runId)) {
      await other.decided;
      if (active.get(runId) !== other) continue;
      if (!other.stopping) {
        other.hasLater = true;
        return await ports.later(runId, ports.clock.now() + LATER_MS);
      }
      if (await other.stored) return;
    }
    if (interrupted) throw new SluiceError('unavailable');
    await work(runId, lost);
  };

  const work = async (runId: string, lost: AbortSignal): Promise<void> => {
    const controller = new AbortController();
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const mine: Active = {
      controller,
      stopping: false,
      hasLater: false,
      decided: Promise.resolve(),
      stored: promise,
    };
    // After an outage the queue takes the job of a worker for lost that works on. Another process that gets it puts it back.
    const decide = async () => {
      if (mine.hasLater) return;
      const run = held.get(runId);
      mine.hasLater = run !== undefined && (await ports.goesOn(run).catch(() => false));
      if (mine.hasLater) return;
      mine.stopping = true;
      controller.abort(lost.reason);
    };
    const stop = () => {
      mine.decided = decide();
    };
    if (lost.aborted) stop();
    lost.addEventListener('abort', stop);
    active.set(runId, mine);
    let stored = false;
    try {
      await untilStored(runId, controller.signal);
      stored = true;
    } finally {
      lost.removeEventListener('abort', stop);
      active.delete(runId);
      held.delete(runId);
      resolve(stored);
    }
  };

  /** While the database is away nothing can be stored, neither here nor by whoever would get the job next. */
  const untilStored = async (runId: string, signal: AbortSignal): Promise<void> => {
    let attempted: number | null = null;
    for (let again = false; ; again = true) {
      try {
        const run = await ports.claim(runId, again, attempted);
        outage.worked();
        if (!run) return await ports.tidy(runId);
        attempted = run.attempt;
        held.set(runId, run);
        return await attempt(run, signal);
      } catch (error) {
        const run = held.get(runId);
        held.delete(runId);
        const away = error instanceof SluiceError && error.code === 'database_unavailable';
        if (run && !away) await ports.letGo(run);
        if (!away || signal.aborted) throw error;
        outage.failed(error, { run: runId });
        await ports.clock.sleep(OUTAGE_MS, signal);
      }
    }
  };

  const attempt = async (run: Run, signal: AbortSignal): Promise<void> => {
    try {
      if (run.silentClaims >= SILENT_CLAIMS) throw new SluiceError('run_silent');
      if (!(await readable(run, signal))) return;
      await executeInTurn(run, signal);
    } catch (error) {
      await judge(run, error, signal);
    }
  };

  const executeInTurn = async (run: Run, signal: AbortSignal): Promise<void> => {
    const place = ports.placeOf(run);
    const execute = () => ports.execute(run, signal, () => ports.places.answers(place));
    const wait = await inTurn(ports.places, place, execute);
    if (wait !== null) await ports.postpone(run, ports.clock.now() + wait, WAITS_FOR_ITS_PLACE);
  };

  const readable = async (run: Run, signal: AbortSignal): Promise<boolean> => {
    for (;;) {
      const missing = run.readableFrom - (await ports.watermark(run));
      if (missing <= 0) return true;
      if (missing > WAIT_HERE_MS) {
        const wait = Math.min(Math.max(missing, POSTPONE_MS), LONGEST_POSTPONE_MS);
        await ports.postpone(run, ports.clock.now() + wait);
        return false;
      }
      await ports.clock.sleep(Math.max(missing, 20), signal);
    }
  };

  const judge = async (run: Run, thrown: unknown, signal: AbortSignal): Promise<void> => {
    const error = signal.aborted ? signal.reason : thrown;
    const code = error instanceof SluiceError ? error.code : null;
    // The row already says what happened; whoever wrote it goes on from there.
    if (code === 'run_superseded') return;
    // Its attempt has taken back what it left, unless the store was away.
    if (code === 'run_cancelled') return await ports.tidy(run.id);
    // Stopped from outside (shutdown, lost job): the queue hands the run on.
    if (signal.aborted) throw error;
    const kind: ErrorKind = kindOf(error);
    if (kind === 'bug') ports.log.error({ err: error, run: run.id }, 'run failed unexpectedly');
    const failed = { failures: run.failures + 1, bugs: run.bugs + (kind === 'bug' ? 1 : 0) };
    const verdict = afterFailure(kind, failed, ports.clock.now(), {
      firstWaitMs: ports.retryMs,
      random: ports.random,
    });
    const silentClaims = code === 'run_silent' ? SILENT_CLAIMS - 1 : 0;
    if (verdict.do === 'retry') await ports.retry(run, error, { at: verdict.at, silentClaims });
    else {
      await ports.fail(run, error, verdict.status);
      await ports.tidy(run.id);
    }
  };

  return {
    handle,
    claims: () => [...held.values()].map(({ id, attempt }) => ({ id, attempt })),
    abort: (runId, why, attempt) => {
      if (attempt === undefined || held.get(runId)?.attempt === attempt)
        active.get(runId)?.controller.abort(why);
    },
    interrupt: () => {
      interrupted = true;
      for (const { controller } of active.values()) controller.abort(new SluiceError('unavailable'));
    },
  };
}

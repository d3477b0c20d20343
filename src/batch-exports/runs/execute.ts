import { SluiceError } from '../../errors/error.ts';
import type { Destination, DestinationPorts, FileTarget } from '../../export/destinations/destination.ts';
import { NO_OUTCOME, type RunObserver } from '../../export/outcome.ts';
import { runExport } from '../../export/run.ts';
import type { DestinationSetup, FileOptions, Model, RunSpec } from '../../export/spec.ts';
import type { Warehouse } from '../../warehouse/warehouse.ts';
import type { LogLevel, LogWriter } from '../logs.ts';
import type { RunPorts } from '../ports.ts';
import type { CountsAhead } from './counts-ahead.ts';
import { finishRun } from './finish.ts';
import { openLedger, readEntries } from './ledger.ts';
import { keySuffix } from './output-name.ts';
import { fixPlan } from './plan.ts';
import type { RunStep } from './steps.ts';
import { type ClaimedRun, setPlanned, setProgress } from './store.ts';

export interface ExecutePorts extends RunPorts {
  readonly warehouse: Warehouse;
  readonly logs: LogWriter;
  readonly countsAhead: CountsAhead;
  readonly destinations: ReadonlyMap<string, Destination>;
  readonly destinationPorts: Omit<DestinationPorts, 'onRetry' | 'onAnswer' | 'clock'>;
  /** Config and credentials of the run's destination as they are now; secrets are never in the snapshot. */
  readonly setup: (run: ClaimedRun) => Promise<DestinationSetup>;
  /** Where files lie on their way to a store, when the engine is on this machine. */
  readonly spool: string | null;
  /** SLUICE_READ_BACK */
  readonly readBack: boolean;
  /** Told of every named step of every run, for tests that stop the process there. */
  readonly onStep: (step: string) => void;
}

/**
 * Exports a claimed run and stores its outcome; tells `onAnswer` of each part of a file that the destination has taken, and of
 * each file. Throws what the worker's verdict needs to know.
 */
export async function executeRun(
  ports: ExecutePorts,
  run: ClaimedRun,
  signal: AbortSignal,
  onAnswer: () => void,
): Promise<void> {
  const step = (name: RunStep) => ports.onStep(name);
  step('run-claimed');
  const nowhere = ports.destinations.get(run.snapshot.destination.type)?.takesNoRows === true;
  if (!nowhere) availableDestination(ports.destinations, run);
  const plan = run.plan ?? (await fixPlan(ports.db, run, ports.clock.now()));
  step('run-planned');
  if (nowhere) {
    step('run-finishing');
    await finishRun(ports, run, { status: 'Completed', outcome: NO_OUTCOME });
    return step('run-finished');
  }
  const log = logOf(ports, run);
  const { target, former, files, setup } = await openTarget(ports, run, onAnswer);
  try {
    const suffix = await keySuffix(ports.db, run);
    const spec = specOf(run, plan, setup, suffix);
    const ledgerAt = ({ place }: FileTarget) => openLedger(ports.db, ports.clock, run, place);
    await runExport(spec, {
      warehouse: ports.warehouse,
      target,
      former: former ? { target: former, replaced: ledgerAt(former).replaced } : undefined,
      files,
      ledger: ledgerAt(target),
      observer: observe(ports, run, log, onAnswer),
      clock: ports.clock,
      signal,
      attempt: run.attempt,
      counted: await ports.countsAhead(run, spec),
      spool: ports.spool,
      readBack: ports.readBack,
      commit: async (outcome) => {
        step('run-finishing');
        // Who sees the run Completed finds its whole story in the log.
        await ports.logs.flush();
        await finishRun(ports, run, { status: 'Completed', outcome, place: target.place });
      },
    });
    step('run-finished');
  } finally {
    await former?.close();
    await target.close();
  }
}

export interface OpenedTarget {
  readonly target: FileTarget;
  /** Where runs that it repeats may have written in earlier versions, if not there. */
  readonly former: FileTarget | null;
  readonly files: FileOptions | null;
  readonly setup: DestinationSetup;
}

/**
 * The run's destination, opened with its configuration and the credentials as they are now; `onAnswer` as in `executeRun`. A run
 * that an earlier version began ends where its files are.
 */
export async function openTarget(
  ports: ExecutePorts,
  run: ClaimedRun,
  onAnswer: () => void,
): Promise<OpenedTarget> {
  const destination = availableDestination(ports.destinations, run);
  const setup = await ports.setup(run);
  const log = logOf(ports, run);
  const opening: DestinationPorts = {
    ...ports.destinationPorts,
    clock: ports.clock,
    onAnswer,
    onRetry: ({ what, attempt, waitMs, error }) =>
      log('WARNING', `${what} failed (${text(error)}); attempt ${attempt + 1} in ${seconds(waitMs)}.`),
  };
  const target = await destination.open(setup, opening);
  const opened = { files: destination.files(setup.config), setup };
  const former = (await destination.openFormer?.(setup, opening)) ?? null;
  if (!former || !(await hasBegunAt(former, ports, run))) return { ...opened, target, former };
  await target.close();
  return { ...opened, target: former, former: null };
}

async function hasBegunAt(target: FileTarget, { db }: ExecutePorts, run: ClaimedRun): Promise<boolean> {
  for (const { staged } of await readEntries(db, run.id)) {
    if (await target.isStaged(staged)) return true;
  }
  return false;
}

const logOf =
  (ports: ExecutePorts, run: ClaimedRun) =>
  (level: LogLevel, message: string): void =>
    ports.logs.write({ teamId: run.teamId, exportId: run.exportId, runId: run.id, level, message });

type Openable = Destination & {
  readonly open: NonNullable<Destination['open']>;
};

function availableDestination(known: ReadonlyMap<string, Destination>, run: ClaimedRun): Openable {
  if (run.snapshot.model !== 'events') {
    const detail = `Exporting ${run.snapshot.model} is not available in this version.`;
    throw new SluiceError('model_not_available', { detail });
  }
  const type = run.snapshot.destination.type;
  const destination = known.get(type);
  if (destination?.open) return destination as Openable;
  throw new SluiceError('destination_not_available', {
    detail: `Exporting to ${type} is not available in this version.`,
  });
}

function specOf(
  run: ClaimedRun,
  plan: Pick<RunSpec, 'region' | 'excludes'>,
  setup: DestinationSetup,
  suffix: string | undefined,
): RunSpec {
  const names = (key: string) => (setup.config[key] as readonly string[] | undefined) ?? [];
  return {
    runId: run.id,
    exportId: run.exportId,
    teamId: run.teamId,
    model: run.snapshot.model as Model,
    interval: run.interval,
    region: plan.region,
    excludes: plan.excludes,
    includeEvents: names('include_events'),
    excludeEvents: names('exclude_events'),
    filters: run.snapshot.filters ?? [],
    ...(suffix === undefined ? {} : { keySuffix: suffix }),
    destination: setup,
  };
}

/** Progress is shown at most this often: it is a write to the database. */
const PROGRESS_EVERY_MS = 1_000;

function observe(
  ports: ExecutePorts,
  run: ClaimedRun,
  log: (level: LogLevel, message: string) => void,
  onAnswer: () => void,
): RunObserver {
  let shownAt = 0;
  // What the run shows while it works is a courtesy; a lost claim is found by the ledger.
  const show = (write: Promise<void>) => void write.catch(() => {});
  return {
    log,
    // An empty run ends at once, and its end says as much.
    planned: (total) => total > 0 && show(setPlanned(ports.db, run, total, ports.clock.now())),
    progress: (done) => {
      const now = ports.clock.now();
      if (now - shownAt < PROGRESS_EVERY_MS) return;
      shownAt = now;
      show(setProgress(ports.db, run, done, now));
    },
    step: (name) => {
      if (name === 'slice-staged') onAnswer();
      ports.onStep(name);
    },
  };
}

const text = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

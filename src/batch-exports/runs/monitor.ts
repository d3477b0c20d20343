import { Counter, type Registry } from 'prom-client';
import { SluiceError } from '../../errors/error.ts';
import type { Log } from '../../work/log.ts';
import type { RunState } from './machine.ts';
import { RUN_KINDS, type RunKind, type RunSnapshot, runKind } from './snapshot.ts';

/** A run, for who looks for it. */
export interface WatchedRun {
  readonly id: string;
  readonly exportId: string;
  readonly teamId: number;
  readonly attempt: number;
  readonly snapshot: { readonly destination: Pick<RunSnapshot['destination'], 'type'> };
}

/** Tells `/metrics` and the server's log what becomes of the runs of this process. */
export interface RunMonitor {
  /** `nextInSeconds` null = no other attempt follows. */
  attemptFailed(run: WatchedRun, error: unknown, nextInSeconds: number | null): void;
  /** Told after it is stored. */
  ended(kind: RunKind, status: Exclude<RunState, 'Starting' | 'Running'>, runs?: number): void;
  exportPaused(run: WatchedRun): void;
}

export function createRunMonitor(registry: Registry, log: Pick<Log, 'warn'>): RunMonitor {
  const registers = [registry];
  const ended = new Counter({
    name: 'sluice_runs_ended_total',
    help: 'Runs of exports and file downloads that ended in this process.',
    labelNames: ['kind', 'status'],
    registers,
  });
  // Or the first of its kind would be no increase.
  for (const kind of RUN_KINDS) {
    for (const status of ['Completed', 'Failed', 'FailedRetryable', 'Cancelled'])
      ended.inc({ kind, status }, 0);
  }
  const failed = new Counter({
    name: 'sluice_run_attempts_failed_total',
    help: 'Attempts of runs in this process that failed, by the code of the error (docs/errors.md).',
    labelNames: ['kind', 'code'],
    registers,
  });
  return {
    attemptFailed: (run, error, nextInSeconds) => {
      const code = error instanceof SluiceError ? error.code : 'error';
      failed.inc({ kind: runKind(run.snapshot.destination.type), code });
      // What a bug says is in a line of its own.
      const reason = error instanceof SluiceError ? error.message : undefined;
      log.warn({ ...named(run), code, reason, nextInSeconds }, 'an attempt of a run failed');
    },
    ended: (kind, status, runs = 1) => ended.inc({ kind, status }, runs),
    exportPaused: (run) => log.warn(named(run), 'an export was paused: its last runs failed'),
  };
}

const named = ({ id, exportId, teamId, attempt }: WatchedRun) => ({
  run: id,
  export: exportId,
  project: teamId,
  attempt,
});

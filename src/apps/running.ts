import type { Registry } from 'prom-client';
import type { Warehouse } from '../warehouse/warehouse.ts';
import type { HostGuard } from '../work/hosts.ts';
import type { Log } from '../work/log.ts';
import { createCounters } from './counters.ts';
import { BACKOFF, HISTORICAL_PATIENCE } from './delivery/backoff.ts';
import { createDeliveries, PACE } from './delivery/deliveries.ts';
import { createMemory } from './delivery/memory.ts';
import { createPoster } from './delivery/post.ts';
import { writeMetrics } from './metrics/write.ts';
import type { RunsToCount } from './metrics/write-runs.ts';
import { freeWriter } from './metrics/writer.ts';
import type { AppsPorts } from './ports.ts';
import type { AppStep } from './steps.ts';

export interface RunningAppsPorts extends AppsPorts {
  readonly warehouse: Warehouse;
  readonly registry: Registry;
  readonly log: Log;
  /** 0 ≤ x < 1 */
  readonly random: () => number;
  readonly guard: HostGuard;
  /** Throws `destination_config` when the host may not be reached. */
  readonly checkHost: (host: string) => Promise<void>;
  readonly runsToCount: RunsToCount;
  /** This process; another one after every start. */
  readonly owner: string;
  readonly alone: boolean;
  /** Whether the warehouse has `events` on one node alone. */
  readonly oneCopy: () => Promise<boolean>;
  /** Arrival time below which nothing can appear any more, milliseconds since the epoch. */
  readonly watermark: () => Promise<number>;
  readonly onStep: (step: AppStep) => void;
}

export interface RunningApps {
  start(): Promise<void>;
  /** Begins nothing more; gives what is on the way `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

/** The moving part of apps: deliveries, historical exports, and the writing of metrics. */
export function createRunningApps(ports: RunningAppsPorts): RunningApps {
  const counters = createCounters(ports.registry);
  const { clock, random, checkHost, problemWithHost } = ports;
  const { lookup } = ports.guard;
  const poster = createPoster({ lookup, problemWithHost, now: () => clock.now() });
  const deliveries = createDeliveries({
    ...ports,
    counters,
    appPorts: { clock, random, post: poster.post, checkHost, lookup },
    backoff: BACKOFF,
    historicalPatience: HISTORICAL_PATIENCE,
    memory: createMemory(),
    pace: PACE,
  });
  let metrics: ReturnType<typeof writeMetrics> | null = null;
  return {
    start: async () => {
      if (ports.alone) await freeWriter(ports.db);
      await deliveries.start();
      metrics = writeMetrics({ ...ports, runs: ports.runsToCount, onUnwritten: counters.unwritten });
    },
    stop: async (graceMs) => {
      try {
        await deliveries.stop(graceMs);
      } finally {
        await metrics?.stop();
        poster.close();
      }
    },
  };
}

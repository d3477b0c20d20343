import type { Endpoint } from '../http/endpoint.ts';
import { backfillEndpoints } from './backfills/routes.ts';
import { connectionTestEndpoints } from './connection-tests/routes.ts';
import { removeExpired } from './downloads/expiry.ts';
import { downloadEndpoints } from './downloads/routes.ts';
import { organizationEndpoints } from './legacy/organization.ts';
import type { ResourcePorts } from './ports.ts';
import { resourceEndpoints } from './routes.ts';
import { runEndpoints } from './runs/routes.ts';
import { type Ticked, tick } from './schedule/tick.ts';

export interface BatchExports {
  readonly endpoints: readonly Endpoint[];
  /** Creates what is due, for at most `limit` exports; call it again at `nextDueAt`, and every few seconds. */
  tick(limit: number): Promise<Ticked>;
  /** Removes from this process's disk what file downloads kept long enough; returns of how many. */
  removeExpiredDownloads(): Promise<number>;
}

/** The feature, put together for `main.ts`. The worker of runs is separate: `runs/worker.ts`. */
export function batchExports(ports: ResourcePorts): BatchExports {
  const endpoints = [
    ...resourceEndpoints(ports),
    ...connectionTestEndpoints(ports),
    ...runEndpoints(ports),
    ...backfillEndpoints(ports),
  ];
  return {
    endpoints: [...endpoints, ...organizationEndpoints(ports, endpoints), ...downloadEndpoints(ports)],
    tick: (limit) => tick(ports, limit),
    removeExpiredDownloads: () => removeExpired(ports),
  };
}

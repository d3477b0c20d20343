import type { Line } from './claim.ts';
import { type Load, type LoadOptions, loadUntil } from './load.ts';
import type { Server } from './server.ts';

const IDLE_MS = 5_000;

/** GETs below the server's project, in turn, with its key. */
export function projectLoad(server: Server, paths: readonly string[], perSecond: number): LoadOptions {
  const { url, personal_api_key: key } = server.sluice.ready;
  return {
    url,
    paths: paths.map((path) => `${server.project}${path}`),
    headers: { Authorization: `Bearer ${key}` },
    perSecond,
  };
}

/** The same load while nothing else goes on. */
export const idleLoad = (load: LoadOptions): Promise<Load> =>
  loadUntil(load, new Promise((resolve) => setTimeout(resolve, IDLE_MS)));

/** How long others waited at worst beside the work. */
export function stallLine(what: string, busy: Load, idle: Load): Line {
  return {
    what: `${what}; longest stall, ms`,
    ours: `p99 ${busy.p99.toFixed(0)}, worst ${busy.worst.toFixed(0)} of ${busy.latencies.length}`,
    theirs: `idle: worst ${idle.worst.toFixed(0)}`,
    value: busy.worst,
    bar: { atMost: 200 },
  };
}

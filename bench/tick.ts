import { v7 } from 'uuid';
import { openDatabase } from '../src/database/database.ts';
import { projectLoad } from './beside.ts';
import type { Claim } from './claim.ts';
import { loadUntil } from './load.ts';
import { call, dataFolder, type Run, type Server, startServer } from './server.ts';

const EXPORTS = Number(process.env.SLUICE_BENCH_EXPORTS ?? 10_000);
const HOUR = 3_600_000;
/** The server starts and answers its first requests before the hour strikes. */
const WARM_UP_MS = 20_000;
const GIVE_UP_MS = 600_000;
const PAGE = 100;
const POLL_MS = 200;

/** The whole hour strikes for many exports at once; people look at their lists meanwhile. */
export const tick: Claim = {
  name: 'tick',
  title: `${EXPORTS} hourly exports due at once, without events: seconds until all runs are started, and the API meanwhile`,
  run: async () => {
    using folder = dataFolder();
    const project = await firstStart(folder.path);
    const due = await insertExports(folder.path, project);
    await using server = await startServer(folder.path);
    const requests = projectLoad(server, ['/batch_exports/?limit=20', '/integrations/'], 20);
    await loadUntil(requests, new Promise((resolve) => setTimeout(resolve, due - Date.now())));
    const started = allStarted(server, due);
    const load = await loadUntil(requests, started);
    const { seconds, created } = await started;
    return [
      {
        what: 'all runs Running or beyond, s after they are due',
        ours: `${seconds.toFixed(1)} s (all created after ${created.toFixed(1)} s)`,
        theirs: '',
        value: seconds,
        bar: { atMost: 60 },
      },
      {
        what: 'p99 of GET lists meanwhile, ms',
        ours: `worst ${load.worst.toFixed(0)} ms of ${load.latencies.length}`,
        theirs: '',
        value: load.p99,
        bar: { atMost: 250 },
      },
    ];
  },
};

async function firstStart(dataDir: string): Promise<number> {
  await using server = await startServer(dataDir);
  return server.sluice.ready.project_id;
}

/** As if created an hour ago, with one interval that has just ended. Returns when they are due, in a while. */
async function insertExports(dataDir: string, project: number): Promise<number> {
  const database = await openDatabase({ dataDir });
  const now = Date.now();
  const end = Math.floor(now / HOUR) * HOUR;
  const created = new Date(end - HOUR);
  const due = now + WARM_UP_MS;
  const rows = Array.from({ length: EXPORTS }, (_, n) => ({
    id: v7(),
    team_id: project,
    name: `export ${n}`,
    model: 'events',
    destination_type: 'Filesystem',
    destination_config: JSON.stringify({ prefix: `e${n}`, file_format: 'Parquet', compression: 'zstd' }),
    interval: 'hour',
    next_interval_start: created,
    next_due_at: new Date(due),
    created_at: created,
    last_updated_at: created,
  }));
  try {
    for (let at = 0; at < rows.length; at += 1000) {
      await database.kysely
        .insertInto('batch_exports')
        .values(rows.slice(at, at + 1000))
        .execute();
    }
    return due;
  } finally {
    await database.close();
  }
}

interface Page {
  readonly results: readonly { readonly latest_runs: readonly Run[] }[];
}

/**
 * Seconds after `since` until every export has its run, and until every run was begun, read page by page over the
 * API: a page whose runs have all begun is not asked for again.
 */
async function allStarted(server: Server, since: number): Promise<{ seconds: number; created: number }> {
  let created = 0;
  for (let offset = 0; offset < EXPORTS; offset += PAGE) {
    for (;;) {
      const path = `/batch_exports/?limit=${PAGE}&offset=${offset}`;
      const { results } = await call<Page>(server, 'GET', path);
      const runs = results.map(({ latest_runs: [run] }) => run);
      created = Math.max(created, ...runs.map((run) => (run ? Date.parse(run.created_at) : 0)));
      if (runs.every((run) => run !== undefined && run.status !== 'Starting')) break;
      if (Date.now() - since > GIVE_UP_MS) throw new Error('not all runs were started');
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
  return { seconds: (Date.now() - since) / 1000, created: (created - since) / 1000 };
}

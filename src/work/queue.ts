import { type Kysely, sql } from 'kysely';
import type { Pool } from 'pg';
import { type ConstructorOptions, fromKysely, fromPglite, PgBoss } from 'pg-boss';
import { systemClock } from './clock.ts';

/**
 * The transport below runs: delivers each job at least once to a living worker, soon. It is not the
 * truth — whoever receives a job claims the row it names, and the row decides (docs/state-machines.md).
 */
export interface Queue {
  /**
   * Adds jobs in the caller's transaction: they exist exactly when its rows do.
   * `startAfter` in milliseconds since the epoch; absent = now.
   */
  enqueue<Tables>(trx: Kysely<Tables>, runIds: readonly string[], startAfter?: number): Promise<void>;
  /**
   * Of these runs, those that no job waits for or works on; with `waiting` only a job counts that nobody has taken, for
   * who knows that whoever took one is dead.
   */
  withoutJob<Tables>(db: Kysely<Tables>, runIds: readonly string[], only?: 'waiting'): Promise<string[]>;
  /**
   * Starts handing jobs to `handler`, `concurrency` at once. `signal` aborts when this process lost the
   * job. A handler that throws gets the job again, as does another process when this one dies.
   */
  work(concurrency: number, handler: (runId: string, signal: AbortSignal) => Promise<void>): Promise<void>;
  /** Stops taking jobs and waits up to `graceMs` for the handlers that run. */
  stop(graceMs: number): Promise<void>;
}

export interface QueueOptions {
  readonly engine: { readonly pglite: Parameters<typeof fromPglite>[0] } | { readonly pool: Pool };
  readonly databaseUrl: string | undefined;
  /** Milliseconds that a statement to a server may take; default 60,000. */
  readonly timeoutMs?: number;
  readonly onError: (error: Error) => void;
  /** The clock that `startAfter` is told by, milliseconds. Default: the machine's; the database goes by its own. */
  readonly now?: () => number;
  /** Seconds between two looks for jobs of dead workers, and for what is to be removed. */
  readonly superviseSeconds?: number;
}

const QUEUE = 'runs';
/** pg-boss allows no less. A worker silent this long is dead; its jobs are found at the next look (`superviseSeconds`). */
const HEARTBEAT_SECONDS = 10;
/** pg-boss allows no more than a day; a longer run goes on, and its job comes back meanwhile. */
const EXPIRE_SECONDS = 86_399;
/** pg-boss removes a job that nobody took for so long, by itself after two weeks: a run waits as long as the process is away. */
const RETENTION_SECONDS = 10 * 365 * 86_400;
/** Jobs that are done are kept for so long, at most twice as long. */
const DELETE_AFTER_SECONDS = 600;
const SETTINGS = {
  notify: true,
  heartbeatSeconds: HEARTBEAT_SECONDS,
  expireInSeconds: EXPIRE_SECONDS,
  // Handlers keep their own count of attempts on the run; the queue only has to deliver again.
  retryLimit: 1_000_000,
  retryDelay: 0,
  deleteAfterSeconds: DELETE_AFTER_SECONDS,
  retentionSeconds: RETENTION_SECONDS,
};

interface RunJob {
  readonly runId: string;
}

/** Opens the queue in the same database as the runs (schema `pgboss`). */
export async function openQueue(options: QueueOptions): Promise<Queue> {
  const supervise = options.superviseSeconds ?? superviseSeconds(options);
  const boss = new PgBoss({
    ...connection(options),
    schedule: false,
    superviseIntervalSeconds: supervise,
    monitorIntervalSeconds: supervise,
    // By default once a day, whatever `deleteAfterSeconds` says.
    maintenanceIntervalSeconds: DELETE_AFTER_SECONDS,
    useListenNotify: true,
    registerInstance: false,
    reindex: false,
    monitorVacuum: false,
  });
  boss.on('error', options.onError);
  await boss.start();
  await boss.createQueue(QUEUE, SETTINGS);
  // One that is there keeps the settings of the version that made it.
  await boss.updateQueue(QUEUE, SETTINGS);

  const now = options.now ?? systemClock.now;
  // The database adds the wait to its own time, which it compares with: this machine's clock may be ahead of it or behind.
  const waitUntil = (at: number) => `${(Math.max(0, at - now()) / 1000).toFixed(3)} seconds`;
  return {
    enqueue: async (trx, runIds, startAfter) => {
      const wait = startAfter === undefined ? {} : { startAfter: waitUntil(startAfter) };
      const jobs = runIds.map((runId) => ({
        data: { runId } satisfies RunJob,
        ...wait,
      }));
      await boss.insert(QUEUE, jobs, { db: fromKysely(trx) });
    },
    withoutJob,
    work: async (concurrency, handler) => {
      for (let n = 0; n < concurrency; n++) {
        // A worker of pg-boss sleeps out its polling interval after every job, one job a second at best: wake it.
        const worker: Promise<string> = boss.work<RunJob>(
          QUEUE,
          {
            batchSize: 1,
            pollingIntervalSeconds: 1,
            notifyPollingIntervalSeconds: 2,
            heartbeatRefreshSeconds: 3,
          },
          async ([job]) => {
            if (!job) return;
            await handler(job.data.runId, job.signal);
            boss.notifyWorker(await worker);
          },
        );
        await worker;
      }
    },
    stop: (graceMs) => boss.stop({ graceful: true, timeout: graceMs }),
  };
}

/**
 * In their order. "not exists" costs the sum of both sides; "not in" reads the whole queue for each run beyond some
 * 150,000 jobs.
 */
async function withoutJob<Tables>(
  db: Kysely<Tables>,
  runIds: readonly string[],
  only?: 'waiting',
): Promise<string[]> {
  const states = only === 'waiting' ? sql`'created', 'retry'` : sql`'created', 'retry', 'active'`;
  const { rows } = await sql<{ id: string }>`
    select wanted.id from jsonb_array_elements_text(${JSON.stringify(runIds)}::jsonb) with ordinality wanted (id, nth)
     where not exists (
             select from pgboss.job
              where name = ${QUEUE} and state in (${states})
                and data->>'runId' = wanted.id)
     order by wanted.nth`.execute(db);
  return rows.map(({ id }) => id);
}

/**
 * How often to look for jobs of dead workers. The embedded database has no process but this one, which adopts what the
 * last one left as it starts; there a look takes 16–23 ms of the thread that serves the API.
 */
const superviseSeconds = ({ engine }: QueueOptions): number => ('pglite' in engine ? 30 : 2);

function connection(options: QueueOptions): ConstructorOptions {
  if ('pglite' in options.engine) return { db: fromPglite(options.engine.pglite), backend: 'pglite' };
  const { timeoutMs = 60_000 } = options;
  const patience = {
    connectionTimeoutMillis: Math.min(10_000, timeoutMs),
    // pg-boss hands these on to pg: without them a connection whose other end vanished stops the queue for good.
    query_timeout: timeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 30_000,
    // pg-boss keeps connections to a server that takes no changes since a failover.
    maxLifetimeSeconds: 60,
  };
  return {
    connectionString: options.databaseUrl ?? '',
    max: 4,
    application_name: 'sluice-queue',
    ...patience,
  };
}

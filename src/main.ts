import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { v7 } from 'uuid';
import { createAccounts } from './accounts/accounts.ts';
import { accountsEndpoints } from './accounts/endpoints.ts';
import { keyEndpoints } from './accounts/key-endpoints.ts';
import { projectSettingsEndpoints } from './accounts/projects.ts';
import { sessionEndpoints } from './accounts/session-endpoints.ts';
import { tenantEndpoints } from './accounts/tenant-endpoints.ts';
import { UserSchema } from './accounts/user.ts';
import { lastTurnedOn } from './apps/plugin-configs/turned-on.ts';
import { newestRead } from './batch-exports/schedule/newest-read.ts';
import { setSchedulesRight } from './batch-exports/schedule/set-right.ts';
import { exportsUsing, letGoOfIntegration } from './batch-exports/store.ts';
import { Batcher } from './capture/batcher.ts';
import { createStamps, newestStamp } from './capture/stamps.ts';
import { composeApps } from './composition/apps.ts';
import { type Base, isAlone } from './composition/base.ts';
import { composeExports } from './composition/batch-exports.ts';
import { composeCapture } from './composition/capture.ts';
import { warnOfClock } from './composition/clock-behind.ts';
import { makeDirectories } from './composition/directories.ts';
import { briefSettleDelay, repeatWithin } from './composition/settings.ts';
import { lookAtRoots } from './composition/shared-roots.ts';
import { checkSharedWarehouse } from './composition/shared-warehouse.ts';
import type { Config } from './config.ts';
import { openEngines } from './engines.ts';
import { createServer } from './http/server.ts';
import { integrationsEndpoints } from './integrations/endpoints.ts';
import { createSealer } from './integrations/sealing.ts';
import { checkSharedKey } from './integrations/shared-key.ts';
import { VERSION } from './version.ts';
import { type Clock, systemClock } from './work/clock.ts';
import { complaints } from './work/complaints.ts';
import { createHostGuard } from './work/hosts.ts';
import type { Log } from './work/log.ts';
import { openQueue } from './work/queue.ts';

export interface Sluice {
  readonly ready: Ready;
  /** Stops taking work, gives what runs `graceMs` to finish, then leaves it to be resumed. */
  stop(graceMs: number): Promise<void>;
}

const KEY_IN_DIRECTORY =
  'The secret key is in secret.key of the data directory; other processes on this database, and this one with another data directory, are refused ' +
  'without it. Set SLUICE_SECRET_KEY for all of them.';

const UNLIMITED =
  'The ClickHouse user may not set max_execution_time: a captured insert that takes longer than half the settle delay may be stored ' +
  'below what other processes have exported. Let its profile allow the setting.';

const STANDBY =
  'Standing by: this process answers and captures, and begins no run, backfill, download or delivery of an app.';

/** What `--ready-json` prints. */
export interface Ready {
  readonly url: string;
  readonly project_id: number;
  readonly organization_id: string;
  /** For capture: `phc_…`. */
  readonly project_api_key: string;
  /** For the API: `phx_…`; only at the first start, or when the environment sets it. */
  readonly personal_api_key?: string;
}

export interface SluicePorts {
  readonly log: Log;
  /** Default: `openEngines`; for a caller that has them opening already. */
  readonly engines?: typeof openEngines;
  readonly clock?: Clock;
  /** 0 ≤ x < 1. */
  readonly random?: () => number;
  /** Told of every named step of every run and insert, for tests that stop the process there. */
  readonly onStep?: (step: string) => void;
}

/**
 * Starts everything in the order of the arrows and stops it in reverse. Whatever fails on the way is thrown
 * after what had started is stopped again.
 */
export async function startSluice(config: Config, ports: SluicePorts): Promise<Sluice> {
  makeDirectories(config);
  await using stack = new AsyncDisposableStack();
  const { ready, quiesce } = await compose(config, ports, stack);
  const owned = stack.move();
  return {
    ready,
    stop: async (graceMs) => {
      try {
        await quiesce(graceMs);
      } finally {
        await owned.disposeAsync();
      }
    },
  };
}

interface Composed {
  readonly ready: Ready;
  readonly quiesce: (graceMs: number) => Promise<void>;
}

async function compose(config: Config, ports: SluicePorts, stack: AsyncDisposableStack): Promise<Composed> {
  const { log } = ports;
  const clock = ports.clock ?? systemClock;
  const { database, warehouse, secrets } = await (ports.engines ?? openEngines)(config, log, stack);
  const db = database.kysely;
  const accounts = createAccounts({ db, clock, random: randomBytes });
  const { dataDir, secretKey: configured } = config;
  // Alone on its own database, it has nobody to share with.
  if (!isAlone(config)) {
    await checkSharedKey(db, secrets);
    if (configured === undefined) log.warn({ dataDir }, KEY_IN_DIRECTORY);
    await checkSharedWarehouse(db, warehouse, config, log);
    await lookAtRoots(db, config, log);
  }
  const sealer = createSealer(secrets, randomBytes);
  const guard = createHostGuard(config.allowedHosts);
  const removed = config.standby
    ? 0
    : await setSchedulesRight({ db, clock, jitterScale: config.jitterScale });
  if (removed > 0)
    log.warn({ removed }, 'the clock was ahead; empty runs of intervals yet to come are removed');
  const [, stored, ...passed] = await Promise.all([
    warnOfClock({ db, warehouse, clock, log }),
    newestStamp(warehouse, clock),
    newestRead(db, clock),
    lastTurnedOn(db, clock),
  ]);
  const stamps = createStamps(clock, stored);
  stamps.passed(Math.max(...passed));
  const storing = complaints(log, clock, 'storing events failed');
  const batcher = new Batcher({
    warehouse,
    clock,
    stamps,
    limits: { repeatWithinMs: repeatWithin(config) },
    onFailure: (error, attempt) => storing.failed(error, { attempt }),
    onUnlimited: () => log.warn(UNLIMITED),
    onStored: storing.worked,
    ...(ports.onStep && { onStep: ports.onStep }),
  });
  stack.defer(() => batcher.close());
  const queue = await openQueue({
    engine: database.engine,
    databaseUrl: config.databaseUrl,
    timeoutMs: config.databaseTimeoutMs,
    onError: complaints(log, clock, 'queue').failed,
    now: () => clock.now(),
  });
  const base: Base = {
    config,
    log,
    clock,
    random: ports.random ?? Math.random,
    onStep: ports.onStep ?? (() => {}),
    db,
    warehouse,
    queue,
    accounts,
    secrets,
    sealer,
    guard,
    integrations: {
      db,
      clock,
      sealer,
      problemWithHost: guard.problemWith,
      recordActivity: accounts.recordActivity,
      membershipLevel: accounts.membershipLevel,
      usedBy: exportsUsing,
      letGo: letGoOfIntegration,
    },
    stamps,
    batcher,
    heldBack: complaints(log, clock, 'live exports and apps wait for the warehouse'),
    // Containers may share a name and a number of the process.
    workerName: `${hostname()}:${process.pid}:${v7()}`,
  };
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const stopping = new AbortController();
  const { feature, runs } = await composeExports(base, registry, stack, stopping.signal);
  const apps = composeApps(base, registry);
  const capture = composeCapture(base, registry, stack);

  const server = await createServer({
    endpoints: [
      ...capture,
      ...accountsEndpoints(db, accounts),
      ...tenantEndpoints(db, accounts),
      ...sessionEndpoints(accounts),
      ...keyEndpoints(accounts),
      ...projectSettingsEndpoints(db, accounts),
      ...integrationsEndpoints(base.integrations, { schema: UserSchema, users: accounts.users }),
      ...feature.endpoints,
      ...apps.endpoints,
    ],
    authenticator: accounts,
    log,
    metrics: registry,
    clock,
    readiness: async () => ({
      warehouse: await works(() => warehouse.ping()),
      database: await works(() => db.selectFrom('instance').select('key').limit(1).execute()),
    }),
    trustProxy: config.trustProxy,
    rateLimitEnabled: config.rateLimitEnabled,
    rateLimitExempt: config.rateLimitExempt,
    version: VERSION,
  });
  stack.defer(() => server.close());
  // Or a slow download would keep the server from closing.
  stack.defer(() => stopping.abort());
  // The first key is shown once, by a server that runs: it is made when all else is known to work, and before anybody
  // can come in.
  const first = await accounts.bootstrap(config.bootstrapPersonalApiKey);
  if (first.warning !== null) log.warn(first.warning);
  const url = await server.listen(config.host, config.port);
  const brief = briefSettleDelay(config);
  if (brief !== null) log.warn(brief);
  if (config.standby) log.warn(STANDBY);
  else {
    await runs.start();
    await apps.running.start();
  }

  const { organizationId, projectId, projectApiKey, personalApiKey } = first;
  return {
    ready: {
      url,
      project_id: projectId,
      organization_id: organizationId,
      project_api_key: projectApiKey,
      ...(personalApiKey === null ? {} : { personal_api_key: personalApiKey }),
    },
    quiesce: async (graceMs) => {
      const stopped = await Promise.allSettled([runs.stop(graceMs), apps.running.stop(graceMs)]);
      for (const one of stopped) {
        // What is left is taken over after a while, as from a process that was killed.
        if (one.status === 'rejected')
          log.warn({ err: one.reason }, 'not everything could be stopped in order');
      }
    },
  };
}

const works = (attempt: () => Promise<unknown>): Promise<boolean> =>
  attempt().then(
    () => true,
    () => false,
  );

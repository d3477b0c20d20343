import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, sep } from 'node:path';
import { Registry } from 'prom-client';
import { v7 } from 'uuid';
import { createAccounts } from './accounts/accounts.ts';
import { accountsEndpoints } from './accounts/endpoints.ts';
import { keyEndpoints } from './accounts/key-endpoints.ts';
import { projectsOf } from './accounts/organizations.ts';
import { projectSettingsEndpoints } from './accounts/projects.ts';
import { sessionEndpoints } from './accounts/session-endpoints.ts';
import { tenantEndpoints } from './accounts/tenant-endpoints.ts';
import { UserSchema } from './accounts/user.ts';
import { apps } from './apps/catalogue/index.ts';
import { appsEndpoints } from './apps/endpoints.ts';
import { createRunningApps } from './apps/running.ts';
import { estimateBackfill } from './batch-exports/backfills/estimate.ts';
import { batchExports } from './batch-exports/batch-exports.ts';
import { wholeConfig } from './batch-exports/destination.ts';
import { createLinkSigner } from './batch-exports/downloads/links.ts';
import { openLogWriter } from './batch-exports/logs.ts';
import { dailyOutcomes } from './batch-exports/runs/outcomes.ts';
import { createRuns } from './batch-exports/runs/start.ts';
import { runsToCount } from './batch-exports/runs/to-count.ts';
import { exportsUsing, letGoOfIntegration } from './batch-exports/store.ts';
import { Batcher } from './capture/batcher.ts';
import { captureEndpoints } from './capture/endpoints.ts';
import { createStamps, newestStamp } from './capture/stamps.ts';
import type { Config } from './config.ts';
import { openEngines } from './engines.ts';
import { SluiceError } from './errors/error.ts';
import { FILE_DOWNLOAD, fileDownload } from './export/destinations/file-download.ts';
import { destinations } from './export/destinations/index.ts';
import { checkQuery } from './export/models/hogql/check.ts';
import { createRowCounter } from './export/models/hogql/count.ts';
import { createQueryParser } from './export/models/hogql/parser.ts';
import { emptySpool } from './export/spool.ts';
import { arrivalWatermark } from './export/watermark.ts';
import { createServer } from './http/server.ts';
import { integrationOfKey } from './integrations/access-key.ts';
import { integrationsEndpoints } from './integrations/endpoints.ts';
import { type IntegrationPorts, openIntegration } from './integrations/integrations.ts';
import { createSealer } from './integrations/sealing.ts';
import { loadSecretKeys } from './integrations/secret-key.ts';
import { findIntegration } from './integrations/store.ts';
import { VERSION } from './version.ts';
import { type Clock, systemClock } from './work/clock.ts';
import { createHostGuard } from './work/hosts.ts';
import type { Log } from './work/log.ts';
import { loop } from './work/loop.ts';
import { openQueue } from './work/queue.ts';

export interface Sluice {
  readonly ready: Ready;
  /** Stops taking work, gives what runs `graceMs` to finish, then leaves it to be resumed. */
  stop(graceMs: number): Promise<void>;
}

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
  mkdirSync(config.dataDir, { recursive: true });
  // A root somewhere else is the administrator's to make: it may be a disk that is not mounted yet.
  if (isInside(config.filesRoot, config.dataDir)) mkdirSync(config.filesRoot, { recursive: true });
  if (isInside(config.downloadsRoot, config.dataDir)) {
    mkdirSync(config.downloadsRoot, { recursive: true, mode: 0o700 });
  }
  await using stack = new AsyncDisposableStack();
  const { ready, quiesce } = await compose(config, ports, stack);
  const owned = stack.move();
  return {
    ready,
    stop: async (graceMs) => {
      await quiesce(graceMs);
      await owned.disposeAsync();
    },
  };
}

/** Upstream's waits (engine.md §1.3): replicas need time. Our own engine has none. */
const SETTLE_MS = 60_000;
const SETTLE_FIVE_MINUTES_MS = 30_000;

/**
 * Apps look for new events twice a second, so on our own engine, too, they keep this far behind: an insert of another process
 * is stamped a moment before the engine knows of it.
 */
const APPS_SETTLE_MS = 300;

/** How often files of downloads are looked through for those whose time is over. */
const TIDY_MS = 60_000;

interface Composed {
  readonly ready: Ready;
  readonly quiesce: (graceMs: number) => Promise<void>;
}

async function compose(config: Config, ports: SluicePorts, stack: AsyncDisposableStack): Promise<Composed> {
  const { log } = ports;
  const clock = ports.clock ?? systemClock;
  const { database, warehouse } = await (ports.engines ?? openEngines)(config, log, stack);
  const db = database.kysely;

  const accounts = createAccounts({ db, clock, random: randomBytes });
  const first = await accounts.bootstrap(config.bootstrapPersonalApiKey);

  const secrets = loadSecretKeys({
    configured: config.secretKey,
    dataDir: config.dataDir,
    random: randomBytes,
  });
  const sealer = createSealer(secrets, randomBytes);
  const guard = createHostGuard(config.allowedHosts);
  const integrations: IntegrationPorts = {
    db,
    clock,
    sealer,
    problemWithHost: guard.problemWith,
    recordActivity: accounts.recordActivity,
    membershipLevel: accounts.membershipLevel,
    usedBy: exportsUsing,
    letGo: letGoOfIntegration,
  };

  const batcher = new Batcher({
    warehouse,
    clock,
    stamps: createStamps(clock, await newestStamp(warehouse, clock)),
    onFailure: (error, attempt) => log.warn({ err: error, attempt }, 'storing events failed'),
    ...(ports.onStep && { onStep: ports.onStep }),
  });
  stack.defer(() => batcher.close());

  const spool = warehouse.localFiles ? join(config.dataDir, 'spool') : null;
  if (spool !== null) await emptySpool(spool);

  const queue = await openQueue({
    engine: database.engine,
    databaseUrl: config.databaseUrl,
    timeoutMs: config.databaseTimeoutMs,
    onError: (error) => log.warn({ err: error }, 'queue'),
    now: () => clock.now(),
  });
  const checkHost = async (host: string) => {
    const problem = await guard.problemWith(host);
    if (problem) throw new SluiceError('destination_config', { detail: problem });
  };
  const destinationPorts = {
    random: ports.random ?? Math.random,
    filesRoot: config.filesRoot,
    timeoutMs: config.destinationTimeoutMs,
    checkHost,
  };
  const alone = config.databaseUrl === undefined;
  const workerName = `${hostname()}:${process.pid}`;
  const shared = {
    db,
    clock,
    newId: v7,
    enqueue: queue.enqueue,
    jitterScale: config.jitterScale,
    backfillParallelism: config.backfillParallelism,
    destinations,
  };
  const runs = createRuns({
    ...shared,
    // Nobody can choose this one for an export.
    destinations: new Map([...destinations, [FILE_DOWNLOAD, fileDownload(config.downloadsRoot)]]),
    warehouse,
    queue,
    log,
    random: ports.random ?? Math.random,
    logs: openLogWriter({ db, clock, onError: (err) => log.warn({ err }, 'log lines of runs were lost') }),
    destinationPorts,
    spool,
    readBack: config.readBack,
    setup: async ({ exportId, teamId, snapshot }) => {
      const row = await db
        .selectFrom('batch_exports')
        .select(['id', 'destination_sealed'])
        .where('id', '=', exportId)
        .executeTakeFirstOrThrow();
      const { type, integrationId, config: stored } = snapshot.destination;
      const opened =
        integrationId === null ? null : await openIntegration(integrations, teamId, integrationId);
      const current = wholeConfig(sealer, { ...row, destination_config: stored });
      return { type, config: current, integration: { ...opened?.config, ...opened?.secrets } };
    },
    onStep: ports.onStep ?? (() => {}),
    workerName,
    concurrency: config.concurrency,
    settleMs: settle(config),
    retryMs: config.retryMs,
    oldestInFlight: () => batcher.oldestInFlight(),
    alone,
  });

  const registry = new Registry();
  const appsPorts = {
    db,
    clock,
    newId: v7,
    apps,
    warehouse,
    seal: sealer.seal,
    unseal: sealer.unseal,
    problemWithHost: guard.problemWith,
    recordActivity: accounts.recordActivity,
  };
  const settleMs = Math.max(APPS_SETTLE_MS, settle(config)('every 5 minutes'));
  const runningApps = createRunningApps({
    ...appsPorts,
    registry,
    log,
    random: ports.random ?? Math.random,
    guard,
    checkHost,
    runsToCount: runsToCount(db),
    owner: `${workerName}:${v7()}`,
    alone,
    watermark: () =>
      arrivalWatermark({ warehouse, clock, settleMs, oldestInFlight: () => batcher.oldestInFlight() }),
    onStep: ports.onStep ?? (() => {}),
  });

  const parser = createQueryParser();
  stack.defer(() => parser.close());
  const stopping = new AbortController();
  const feature = batchExports({
    ...shared,
    onRunCancelled: runs.onRunCancelled,
    openIntegration: (teamId, id) => openIntegration(integrations, teamId, id),
    hosts: guard,
    projectsOf: (caller, organizationId) => projectsOf(db, caller, organizationId),
    legacyS3: config.legacyS3 ? (actor, key) => integrationOfKey(integrations, actor, key) : null,
    destinationPorts,
    findIntegration: async (within, teamId, id) => (await findIntegration(within, teamId, id)) ?? null,
    seal: sealer.seal,
    unseal: sealer.unseal,
    recordActivity: accounts.recordActivity,
    readQuery: async (text) => checkQuery(await parser.parse(text)),
    countRows: createRowCounter(warehouse),
    estimate: (batchExport, range) => estimateBackfill(warehouse, batchExport, range),
    maxBackfills: config.maxBackfills,
    downloads: {
      root: config.downloadsRoot,
      most: config.maxFileDownloads,
      linkSeconds: config.downloadLinkSeconds,
      keepSeconds: config.downloadKeepSeconds,
      links: createLinkSigner(secrets),
      stopping: stopping.signal,
    },
    gates: gatesOf(config),
  });

  const tidying = loop(
    clock,
    TIDY_MS,
    async () => void (await feature.removeExpiredDownloads()),
    (err) => log.warn({ err }, 'expired files of downloads could not be removed'),
  );
  stack.defer(() => tidying.stop());

  const server = await createServer({
    endpoints: [
      ...captureEndpoints({
        projectByKey: accounts.findProjectByToken,
        batcher,
        clock,
        newUuid: () => v7({}, new Uint8Array(16)),
        keepIp: true,
      }),
      ...accountsEndpoints(db, accounts),
      ...tenantEndpoints(db, accounts),
      ...sessionEndpoints(accounts),
      ...keyEndpoints(accounts),
      ...projectSettingsEndpoints(db, accounts),
      ...integrationsEndpoints(integrations, { schema: UserSchema, users: accounts.users }),
      ...feature.endpoints,
      ...appsEndpoints({
        ...appsPorts,
        runOutcomes: (teamId, exportId, range) => dailyOutcomes(db, teamId, exportId, range),
        organizationOf: accounts.organizationOf,
        people: { schema: UserSchema, users: accounts.users },
      }),
    ],
    authenticator: accounts,
    log,
    metrics: registry,
    clock,
    readiness: async () => ({
      warehouse: await works(() => warehouse.ping()),
      database: await works(() => db.selectFrom('instance').select('key').limit(1).execute()),
    }),
    rateLimitEnabled: config.rateLimitEnabled,
    rateLimitExempt: config.rateLimitExempt,
    version: VERSION,
  });
  stack.defer(() => server.close());
  // Or a slow download would keep the server from closing.
  stack.defer(() => stopping.abort());
  const url = await server.listen(config.host, config.port);
  await runs.start();
  await runningApps.start();

  const { organizationId, projectId, projectApiKey, personalApiKey } = first;
  return {
    ready: {
      url,
      project_id: projectId,
      organization_id: organizationId,
      project_api_key: projectApiKey,
      ...(personalApiKey === null ? {} : { personal_api_key: personalApiKey }),
    },
    quiesce: async (graceMs) => void (await Promise.all([runs.stop(graceMs), runningApps.stop(graceMs)])),
  };
}

const isInside = (path: string, directory: string): boolean => path.startsWith(`${directory}${sep}`);

function settle({ settleSeconds, clickhouseUrl }: Config): (interval: string) => number {
  if (settleSeconds !== null) return () => settleSeconds * 1000;
  if (clickhouseUrl === undefined) return () => 0;
  return (interval) => (interval === 'every 5 minutes' ? SETTLE_FIVE_MINUTES_MS : SETTLE_MS);
}

const works = (attempt: () => Promise<unknown>): Promise<boolean> =>
  attempt().then(
    () => true,
    () => false,
  );

const gatesOf = ({ closedGates }: Config) => ({
  highFrequency: !closedGates.includes('high-frequency-batch-exports'),
  hogql: !closedGates.includes('hogql-batch-exports'),
  workflows: !closedGates.includes('backfill-workflows-destination'),
  earliestBackfill: !closedGates.includes('batch-export-earliest-backfill'),
});

import { join } from 'node:path';
import type { Registry } from 'prom-client';
import { v7 } from 'uuid';
import { projectsOf } from '../accounts/organizations.ts';
import { estimateBackfill } from '../batch-exports/backfills/estimate.ts';
import { type BatchExports, batchExports } from '../batch-exports/batch-exports.ts';
import { createLinkSigner } from '../batch-exports/downloads/links.ts';
import { installGauges, readBacklog } from '../batch-exports/gauges.ts';
import { removeOldLog } from '../batch-exports/log-expiry.ts';
import { openLogWriter } from '../batch-exports/logs.ts';
import { createRunMonitor } from '../batch-exports/runs/monitor.ts';
import { currentSetup } from '../batch-exports/runs/setup.ts';
import { createRunService } from '../batch-exports/runs/start.ts';
import { createArrivedBefore } from '../capture/arrived-before.ts';
import { FILE_DOWNLOAD, fileDownload } from '../export/destinations/file-download.ts';
import { destinations } from '../export/destinations/index.ts';
import { checkQuery } from '../export/models/hogql/check.ts';
import { createRowCounter } from '../export/models/hogql/count.ts';
import { createQueryParser } from '../export/models/hogql/parser.ts';
import { emptySpool } from '../export/spool.ts';
import { integrationOfKey } from '../integrations/access-key.ts';
import { openIntegration } from '../integrations/integrations.ts';
import { findIntegration } from '../integrations/store.ts';
import { settleDelayOf } from '../settle-delay.ts';
import { complaints } from '../work/complaints.ts';
import { type Base, hostChecker, isAlone } from './base.ts';
import { filesFolder } from './files-folder.ts';
import { gatesOf } from './settings.ts';
import { tidyEvery } from './tidying.ts';

/** How often files of downloads are looked through for those whose time is over. */
const TIDY_MS = 60_000;
/** How often old log lines are removed. */
const LOG_TIDY_MS = 3_600_000;

export interface ComposedExports {
  readonly feature: BatchExports;
  readonly runs: ReturnType<typeof createRunService>;
}

/** Exports, their runs and downloads. `stopping` aborts when answers that still stream must end. */
export async function composeExports(
  base: Base,
  registry: Registry,
  stack: AsyncDisposableStack,
  stopping: AbortSignal,
): Promise<ComposedExports> {
  const { accounts, clock, config, db, integrations, log, queue, sealer, warehouse } = base;
  const spool = warehouse.localFiles ? join(config.dataDir, 'spool') : null;
  if (spool !== null) await emptySpool(spool);
  const shared = {
    db,
    clock,
    newId: v7,
    enqueue: queue.enqueue,
    jitterScale: config.jitterScale,
    backfillParallelism: config.backfillParallelism,
    standby: config.standby,
    destinations,
    destinationPorts: {
      random: base.random,
      filesRoot: config.filesRoot,
      timeoutMs: config.destinationTimeoutMs,
      checkHost: hostChecker(base.guard),
      lookup: base.guard.lookup,
    },
  };
  const lost = complaints(log, clock, 'log lines of runs were lost');
  const runs = createRunService({
    ...shared,
    // Nobody can choose this one for an export.
    destinations: new Map([...destinations, [FILE_DOWNLOAD, fileDownload(config.downloadsRoot)]]),
    warehouse,
    queue,
    log,
    monitor: createRunMonitor(registry, log),
    random: base.random,
    logs: openLogWriter({ db, clock, onError: lost.failed }),
    spool,
    readBack: config.readBack,
    setup: (run) =>
      currentSetup(
        {
          db,
          unseal: sealer.unseal,
          openIntegration: (teamId, id) => openIntegration(integrations, teamId, id),
          filesFolder: (teamId) => filesFolder(db, teamId),
        },
        run,
      ),
    onStep: base.onStep,
    workerName: base.workerName,
    concurrency: config.concurrency,
    settleMs: settleDelayOf(config),
    retryMs: config.retryMs,
    oldestInFlight: () => base.batcher.oldestInFlight(),
    onPassed: base.stamps.passed,
    heldBack: base.heldBack,
    alone: isAlone(config),
  });

  installGauges(registry, clock, () => readBacklog(db));

  const parser = createQueryParser();
  stack.defer(() => parser.close());
  const feature = batchExports({
    ...shared,
    filesFolder: (teamId) => filesFolder(db, teamId),
    onRunCancelled: runs.onRunCancelled,
    openIntegration: (teamId, id) => openIntegration(integrations, teamId, id),
    hosts: base.guard,
    projectsOf: (caller, organizationId) => projectsOf(db, caller, organizationId),
    legacyS3: config.legacyS3 ? (actor, key) => integrationOfKey(integrations, actor, key) : null,
    findIntegration: async (within, teamId, id) => (await findIntegration(within, teamId, id)) ?? null,
    seal: sealer.seal,
    unseal: sealer.unseal,
    recordActivity: accounts.recordActivity,
    readQuery: async (text, teamId) => checkQuery(await parser.parse(text, teamId)),
    countRows: createRowCounter(warehouse),
    arrivedBefore: createArrivedBefore(base),
    estimate: (batchExport, range) => estimateBackfill(warehouse, batchExport, range),
    maxBackfills: config.maxBackfills,
    downloads: {
      root: config.downloadsRoot,
      most: config.maxFileDownloads,
      linkSeconds: config.downloadLinkSeconds,
      keepSeconds: config.downloadKeepSeconds,
      links: createLinkSigner(base.secrets),
      stopping,
    },
    gates: gatesOf(config),
  });
  tidyEvery(
    base,
    stack,
    TIDY_MS,
    feature.removeExpiredDownloads,
    'expired files of downloads could not be removed',
  );
  tidyEvery(
    base,
    stack,
    LOG_TIDY_MS,
    () => removeOldLog(db, clock.now(), config.logKeepDays),
    'old log lines could not be removed',
  );
  return { feature, runs };
}

import type { Registry } from 'prom-client';
import { v7 } from 'uuid';
import { UserSchema } from '../accounts/user.ts';
import { apps } from '../apps/catalogue/index.ts';
import { appsEndpoints } from '../apps/endpoints.ts';
import { createRunningApps } from '../apps/running.ts';
import { dailyOutcomes } from '../batch-exports/runs/outcomes.ts';
import { runsToCount } from '../batch-exports/runs/to-count.ts';
import { createArrivedBefore } from '../capture/arrived-before.ts';
import { arrivalWatermark } from '../export/watermark.ts';
import type { Endpoint } from '../http/endpoint.ts';
import { settleDelayOf } from '../settle-delay.ts';
import { createOneCopy } from '../warehouse/identity.ts';
import { type Base, hostChecker, isAlone } from './base.ts';

/**
 * Apps look for new events twice a second, so on our own engine, too, they keep this far behind: an insert of another process
 * is stamped a moment before the engine knows of it.
 */
const SETTLE_MS = 300;

export interface ComposedApps {
  readonly endpoints: readonly Endpoint[];
  readonly running: ReturnType<typeof createRunningApps>;
}

/** Apps: what is asked of them over HTTP, and what delivers. */
export function composeApps(base: Base, registry: Registry): ComposedApps {
  const { accounts, batcher, clock, config, db, guard, log, sealer, warehouse } = base;
  const ports = {
    db,
    clock,
    newId: v7,
    apps,
    warehouse,
    seal: sealer.seal,
    unseal: sealer.unseal,
    isCurrent: sealer.isCurrent,
    problemWithHost: guard.problemWith,
    recordActivity: accounts.recordActivity,
    onTurnedOn: base.stamps.passed,
    arrivedBefore: createArrivedBefore(base),
  };
  const settleMs = Math.max(SETTLE_MS, settleDelayOf(config)('every 5 minutes'));
  const running = createRunningApps({
    ...ports,
    registry,
    log,
    random: base.random,
    guard,
    checkHost: hostChecker(guard),
    runsToCount: runsToCount(db),
    oneCopy: createOneCopy(warehouse),
    owner: base.workerName,
    alone: isAlone(config),
    watermark: () =>
      arrivalWatermark({
        warehouse,
        clock,
        settleMs,
        oldestInFlight: () => batcher.oldestInFlight(),
        report: base.heldBack,
      }),
    onStep: base.onStep,
  });
  const endpoints = appsEndpoints({
    ...ports,
    maxHistoricalExports: config.maxHistoricalExports,
    runOutcomes: (teamId, exportId, range) => dailyOutcomes(db, teamId, exportId, range),
    organizationOf: accounts.organizationOf,
    people: { schema: UserSchema, users: accounts.users },
  });
  return { endpoints, running };
}

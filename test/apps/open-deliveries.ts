import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import pino from 'pino';
import { Registry } from 'prom-client';
import { v7 } from 'uuid';
import { createAccounts } from '../../src/accounts/accounts.ts';
import { apps } from '../../src/apps/catalogue/index.ts';
import { createCounters } from '../../src/apps/counters.ts';
import type { Backoff, Patience } from '../../src/apps/delivery/backoff.ts';
import { createDeliveries, type Deliveries, type Pace } from '../../src/apps/delivery/deliveries.ts';
import { createMemory, type Memory } from '../../src/apps/delivery/memory.ts';
import { createPoster } from '../../src/apps/delivery/post.ts';
import { createHistoricalExport } from '../../src/apps/historical-exports/create.ts';
import { writeMetrics } from '../../src/apps/metrics/write.ts';
import type { AppsPorts } from '../../src/apps/ports.ts';
import { sealConfig } from '../../src/apps/sealed-config.ts';
import { Batcher } from '../../src/capture/batcher.ts';
import { captureEvent } from '../../src/capture/event.ts';
import { readPayload } from '../../src/capture/payload.ts';
import { createPersonIds } from '../../src/capture/person-id.ts';
import { encodeRows } from '../../src/capture/rows.ts';
import { createStamps } from '../../src/capture/stamps.ts';
import { newUuid } from '../../src/capture/uuid.ts';
import { type Database, openDatabase } from '../../src/database/database.ts';
import { SluiceError } from '../../src/errors/error.ts';
import { arrivalWatermark } from '../../src/export/watermark.ts';
import { createSealer } from '../../src/integrations/sealing.ts';
import type { Warehouse } from '../../src/warehouse/warehouse.ts';
import { type Clock, systemClock } from '../../src/work/clock.ts';
import { createHostGuard } from '../../src/work/hosts.ts';
import { seededBytes } from '../contract/start-api.ts';
import type { SentEvent } from '../faults/events.ts';
import { prepareDatabase } from '../kit/prepared-database.ts';
import { startTestWarehouse } from '../kit/warehouse.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Deliveries on real embedded engines in this process, without the HTTP side. */
export interface DeliveriesBench {
  readonly database: Database;
  readonly warehouse: Warehouse;
  readonly ports: AppsPorts;
  readonly teamId: number;
  readonly organizationId: string;
  readonly userId: number;
  /** Lines of level warn and above. */
  readonly logged: string[];
  /** Turns an app on; returns the plugin config's id. */
  enable(appId: number, config: Fields): Promise<number>;
  disable(id: number): Promise<void>;
  /** Begins a historical export; returns its id. */
  beginJob(pluginConfigId: number, range: JobRange): Promise<string>;
  /** Stores events as capture does. */
  capture(events: readonly SentEvent[]): Promise<void>;
  /** Another process on the same engines, as far as deliveries are concerned; with some of its own, if given. */
  process(owner: string, own?: OwnEngines): Deliveries;
  /** Brings what is noted to the warehouse and reads it: sums by config and job. */
  metrics(): Promise<readonly MetricSums[]>;
  close(): Promise<void>;
}

export interface OwnEngines {
  readonly db?: AppsPorts['db'];
  /** What apps read with. */
  readonly warehouse?: Pick<Warehouse, 'rows'>;
  /** Default: it is. */
  readonly oneCopy?: () => Promise<boolean>;
  readonly pace?: Pace;
  readonly clock?: Clock;
  readonly backoff?: Backoff;
  readonly historicalPatience?: Patience;
  readonly memory?: Memory;
}

export interface MetricSums {
  readonly plugin_config_id: number;
  readonly category: string;
  readonly job_id: string;
  readonly successes: number;
  readonly successes_on_retry: number;
  readonly failures: number;
  readonly errors: readonly string[];
}

/** Event time, milliseconds since the epoch, half open. */
export interface JobRange {
  readonly from: number;
  readonly to: number;
  /** Default: 1. */
  readonly parallelism?: number;
}

/** @param answerMs how long a receiver may take to answer */
export async function openDeliveries(answerMs = 1_000): Promise<DeliveriesBench> {
  const dataDir = mkdtempSync(join(tmpdir(), 'sluice-deliveries-'));
  await prepareDatabase(dataDir);
  const [embedded, database] = await Promise.all([startTestWarehouse(), openDatabase({ dataDir })]);
  const { warehouse } = embedded;
  const db = database.kysely;
  const random = seededBytes('deliveries');
  const accounts = createAccounts({ db, clock: systemClock, random });
  const first = await accounts.bootstrap(undefined);
  const { projectId: teamId, organizationId } = first;
  const userId = await accounts.findUserId();
  const sealer = createSealer(['a secret for tests of at least 32 bytes'], random);
  const guard = createHostGuard(['127.0.0.1']);
  const logged: string[] = [];
  const log = pino(
    { level: 'warn' },
    new Writable({
      write: (line, _, done) => {
        logged.push(String(line));
        done();
      },
    }),
  );
  const batcher = new Batcher({ warehouse, clock: systemClock, stamps: createStamps(systemClock, 0) });
  const ports: AppsPorts = {
    db,
    clock: systemClock,
    newId: () => v7(),
    apps,
    seal: sealer.seal,
    unseal: sealer.unseal,
    isCurrent: sealer.isCurrent,
    problemWithHost: guard.problemWith,
    recordActivity: accounts.recordActivity,
    onTurnedOn: () => {},
    arrivedBefore: async () => Date.now() + 1,
  };
  const poster = createPoster({
    lookup: guard.lookup,
    problemWithHost: guard.problemWith,
    now: Date.now,
    timeoutMs: answerMs,
  });
  const counters = createCounters(new Registry());

  return {
    database,
    warehouse,
    ports,
    teamId,
    organizationId,
    userId,
    logged,
    enable: async (appId, config) => {
      const app = apps.get(appId);
      if (!app) throw new Error(`no app ${appId}`);
      const stored = sealConfig(ports, app, { team_id: teamId, plugin_id: appId }, config);
      const now = new Date();
      const { id } = await db
        .insertInto('plugin_configs')
        .values({
          team_id: teamId,
          plugin_id: appId,
          enabled: true,
          enabled_at: now,
          config: JSON.stringify(stored.config),
          sealed: stored.sealed,
          created_at: now,
          updated_at: now,
        })
        .returning('id')
        .executeTakeFirstOrThrow();
      return id;
    },
    beginJob: (pluginConfigId, { from, to, parallelism = 1 }) =>
      db.transaction().execute((trx) =>
        createHistoricalExport(trx, ports, {
          organizationId,
          teamId,
          userId,
          pluginConfigId,
          payload: { dateRange: ['a day', 'a day'], parallelism },
          eventFrom: from,
          eventTo: to,
          parallelism,
          arrivalBefore: Date.now() + 1,
        }),
      ),
    disable: async (id) => {
      const now = new Date();
      await db
        .updateTable('plugin_configs')
        .set({ enabled: false, updated_at: now })
        .where('id', '=', id)
        .execute();
    },
    capture: async (events) => {
      const arrival = {
        teamId,
        nowMicros: Date.now() * 1000,
        sentAtMicros: null,
        historicalMigration: true,
        ip: null,
        newUuid,
        personId: createPersonIds(),
      };
      const text = JSON.stringify({ api_key: 'phc_x', batch: events });
      const rows = [...readPayload(text).events()].map((sent) => captureEvent(text, sent, arrival));
      await batcher.add(encodeRows(teamId, rows));
    },
    process: (owner, own = {}) =>
      createDeliveries({
        ...ports,
        warehouse,
        oneCopy: async () => true,
        pace: { leaseSeconds: 2, leaseMs: 100, newsMs: 100 },
        backoff: { baseMs: 50, capMs: 400 },
        historicalPatience: { attempts: 4, ms: 500 },
        memory: createMemory(),
        ...own,
        log,
        random: () => 0.5,
        counters,
        appPorts: {
          clock: systemClock,
          random: () => 0.5,
          post: poster.post,
          lookup: guard.lookup,
          checkHost: async (host) => {
            const detail = await guard.problemWith(host);
            if (detail) throw new SluiceError('destination_config', { detail });
          },
        },
        onStep: () => {},
        owner,
        alone: false,
        watermark: () =>
          arrivalWatermark({
            warehouse,
            clock: systemClock,
            settleMs: 0,
            oldestInFlight: () => batcher.oldestInFlight(),
          }),
      }),
    metrics: async () => {
      const writer = writeMetrics({
        db,
        warehouse,
        clock: systemClock,
        log,
        owner: 'metrics',
        runs: { next: async () => [], counted: async () => {} },
        onUnwritten: counters.unwritten,
        onStep: () => {},
      });
      await writer.stop();
      const rows = await warehouse.rows<Record<keyof MetricSums, string> & { errors: string[] }>({
        sql: `SELECT plugin_config_id, category, job_id, sum(successes) AS successes, sum(successes_on_retry) AS successes_on_retry,
                sum(failures) AS failures, groupUniqArrayIf(error_type, error_type != '') AS errors
              FROM app_metrics GROUP BY plugin_config_id, category, job_id ORDER BY plugin_config_id, job_id`,
      });
      return rows.map((row) => ({
        plugin_config_id: Number(row.plugin_config_id),
        category: row.category,
        job_id: row.job_id,
        successes: Number(row.successes),
        successes_on_retry: Number(row.successes_on_retry),
        failures: Number(row.failures),
        errors: row.errors.toSorted(),
      }));
    },
    close: async () => {
      await batcher.close();
      poster.close();
      await database.close();
      await embedded.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

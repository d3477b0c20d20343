import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { Registry } from 'prom-client';
import { createAccounts } from '../../src/accounts/accounts.ts';
import { projectsOf } from '../../src/accounts/organizations.ts';
import { type BatchExports, batchExports } from '../../src/batch-exports/batch-exports.ts';
import { createLinkSigner } from '../../src/batch-exports/downloads/links.ts';
import type { Db, Gates, ResourcePorts } from '../../src/batch-exports/ports.ts';
import { filesFolder } from '../../src/composition/files-folder.ts';
import { openDatabase } from '../../src/database/database.ts';
import { destinations } from '../../src/export/destinations/index.ts';
import { checkQuery } from '../../src/export/models/hogql/check.ts';
import { createQueryParser } from '../../src/export/models/hogql/parser.ts';
import { createServer } from '../../src/http/server.ts';
import { openIntegration } from '../../src/integrations/integrations.ts';
import { createSealer } from '../../src/integrations/sealing.ts';
import { findIntegration, insertIntegration } from '../../src/integrations/store.ts';
import { createHostGuard } from '../../src/work/hosts.ts';
import { prepareDatabase } from '../kit/prepared-database.ts';

/** A clock that stands still until it is moved. */
export class TestClock {
  #now: number;

  constructor(start: string) {
    this.#now = Date.parse(start);
  }

  readonly now = (): number => this.#now;
  readonly sleep = async (ms: number): Promise<void> => this.advance(ms);
  advance(ms: number): void {
    this.#now += ms;
  }

  set(text: string): void {
    this.#now = Date.parse(text);
  }
}

export interface Job {
  readonly runId: string;
  readonly startAfter: number | undefined;
}

export interface Bench {
  readonly db: Db;
  readonly clock: TestClock;
  readonly ports: ResourcePorts;
  readonly feature: BatchExports;
  /** Every job enqueued, in order. */
  readonly jobs: Job[];
  /** Runs that `onRunCancelled` was told of. */
  readonly cancelled: string[];
  /** Runs the test with these gates closed. */
  closing(gates: readonly (keyof Gates)[], test: () => Promise<void>): Promise<void>;
  readonly teamId: number;
  readonly organizationId: string;
  readonly key: string;
  readonly accounts: ReturnType<typeof createAccounts>;
  close(): Promise<void>;
}

/** The whole feature on a real embedded database, with everything that runs outside left to the test. */
export async function openBench(overrides: Partial<ResourcePorts> = {}): Promise<Bench> {
  const dataDir = mkdtempSync(join(tmpdir(), 'sluice-batch-exports-'));
  await prepareDatabase(dataDir);
  const database = await openDatabase({ dataDir });
  const db = database.kysely;
  const clock = new TestClock('2026-03-01T10:20:00Z');
  const accounts = createAccounts({ db, clock, random: randomBytes });
  const first = await accounts.bootstrap('phx_a_key_that_only_tests_use_0123456789abcdef');
  const sealer = createSealer(['a secret of at least thirty-two bytes'], randomBytes);
  const parser = createQueryParser();
  const jobs: Job[] = [];
  const cancelled: string[] = [];
  const gates = { highFrequency: true, hogql: true, workflows: true, earliestBackfill: true };
  let ids = 0;
  const ports: ResourcePorts = {
    db,
    clock,
    // Rising, so that ties on a timestamp have an order to be tested.
    newId: () => `019a0000-0000-7000-8000-${String(++ids).padStart(12, '0')}`,
    enqueue: async (_, runIds, startAfter) =>
      void jobs.push(...runIds.map((runId) => ({ runId, startAfter }))),
    jitterScale: 0,
    backfillParallelism: 2,
    onRunCancelled: (runId) => void cancelled.push(runId),
    destinations,
    findIntegration,
    openIntegration: (teamId, id) => openIntegration({ db, sealer }, teamId, id),
    hosts: createHostGuard([]),
    projectsOf: (caller, organizationId) => projectsOf(db, caller, organizationId),
    legacyS3: null,
    destinationPorts: { random: () => 0.5, filesRoot: dataDir, checkHost: async () => {} },
    filesFolder: (teamId) => filesFolder(db, teamId),
    seal: sealer.seal,
    unseal: sealer.unseal,
    recordActivity: accounts.recordActivity,
    readQuery: async (text, teamId) => checkQuery(await parser.parse(text, teamId)),
    // No warehouse here: what a range holds is not known, and nothing is counted.
    countRows: async () => 0,
    arrivedBefore: async () => clock.now() + 1,
    estimate: async () => null,
    maxBackfills: 2,
    downloads: {
      root: join(dataDir, 'downloads'),
      most: 2,
      linkSeconds: 3600,
      keepSeconds: 86_400,
      links: createLinkSigner(['a secret of at least thirty-two bytes']),
      stopping: new AbortController().signal,
    },
    gates,
    ...overrides,
  };
  return {
    db,
    clock,
    ports,
    feature: batchExports(ports),
    jobs,
    cancelled,
    closing: async (closed, test) => {
      Object.assign(gates, Object.fromEntries(closed.map((gate) => [gate, false])));
      try {
        await test();
      } finally {
        Object.assign(gates, Object.fromEntries(closed.map((gate) => [gate, true])));
      }
    },
    teamId: first.projectId,
    organizationId: first.organizationId,
    key: first.personalApiKey ?? '',
    accounts,
    close: async () => {
      await parser.close();
      await database.close();
      rmSync(dataDir, { recursive: true });
    },
  };
}

// biome-ignore lint/suspicious/noExplicitAny: answers are JSON whose shape each test asserts
export type Json = any;

export interface Answer {
  readonly status: number;
  readonly body: Json;
}

export interface ServedBench extends Bench {
  /** Where it listens. */
  readonly base: string;
  /** One call with the key; paths are relative to the project unless they begin with a slash. */
  call(method: string, path: string, body?: unknown): Promise<Answer>;
  /** The same, with JSON text as it is. */
  send(method: string, path: string, text: string | undefined, key?: string): Promise<Answer>;
  /** Creates an export to a folder; `changes` override the body. */
  create(changes?: Record<string, unknown>): Promise<Json>;
  /** `config` and `secrets` as its kind would have stored them. */
  addIntegration(
    kind: string,
    config?: Record<string, unknown>,
    secrets?: Record<string, unknown>,
  ): Promise<number>;
}

/** The bench behind the real HTTP server, which checks every answer against its documented schema. */
export async function serveBench(overrides: Partial<ResourcePorts> = {}): Promise<ServedBench> {
  const bench = await openBench(overrides);
  const server = await createServer({
    endpoints: bench.feature.endpoints,
    authenticator: bench.accounts,
    log: pino({ level: 'silent' }),
    metrics: new Registry(),
    clock: bench.clock,
    readiness: async () => ({}),
    rateLimitEnabled: false,
    version: 'test',
    docsPage: false,
    verifyAnswers: true,
  });
  const base = await server.listen('127.0.0.1', 0);
  const send: ServedBench['send'] = async (method, path, text, key = bench.key) => {
    const url = path.startsWith('http')
      ? path
      : `${base}${path.startsWith('/') ? path : `/api/projects/${bench.teamId}/${path}`}`;
    const response = await fetch(url, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(text === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(text === undefined ? {} : { body: text }),
    });
    const answer = await response.text();
    return { status: response.status, body: answer ? JSON.parse(answer) : null };
  };
  const call: ServedBench['call'] = (method, path, body) =>
    send(method, path, body === undefined ? undefined : JSON.stringify(body));
  let integrations = 0;
  return {
    ...bench,
    base,
    send,
    call,
    create: async (changes = {}) => {
      const { status, body } = await call('POST', 'batch_exports/', { ...toFiles(), ...changes });
      if (status !== 201) throw new Error(`create answered ${status}: ${JSON.stringify(body)}`);
      return body;
    },
    addIntegration: async (kind, config = {}, secrets = {}) => {
      const row = await insertIntegration(bench.db, {
        teamId: bench.teamId,
        kind,
        identity: `integration ${++integrations}`,
        config: { name: `integration ${integrations}`, ...config },
        sealed: bench.ports.seal(JSON.stringify(secrets), `integration:${bench.teamId}:${kind}`),
        createdBy: 1,
        createdAt: new Date(bench.clock.now()),
      });
      return row?.id ?? 0;
    },
    close: async () => {
      await server.close();
      await bench.close();
    },
  };
}

/** A body that creates an hourly export to a folder. */
export const toFiles = (config: Record<string, unknown> = {}) => ({
  name: 'Events to files',
  interval: 'hour',
  destination: { type: 'Filesystem', config: { prefix: 'events', file_format: 'Parquet', ...config } },
});

import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import pino from 'pino';
import { Registry } from 'prom-client';
import { type Accounts, createAccounts } from '../../src/accounts/accounts.ts';
import { accountsEndpoints } from '../../src/accounts/endpoints.ts';
import { keyEndpoints } from '../../src/accounts/key-endpoints.ts';
import type { RandomBytes } from '../../src/accounts/keys.ts';
import { projectSettingsEndpoints } from '../../src/accounts/projects.ts';
import { sessionEndpoints } from '../../src/accounts/session-endpoints.ts';
import { tenantEndpoints } from '../../src/accounts/tenant-endpoints.ts';
import { type Database, openDatabase } from '../../src/database/database.ts';
import type { Endpoint } from '../../src/http/endpoint.ts';
import { createServer, type ServerOptions } from '../../src/http/server.ts';
import { systemClock } from '../../src/work/clock.ts';
import { prepareDatabase } from '../kit/prepared-database.ts';

export const MASTER_KEY = 'phx_master-key-of-the-contract-tests-0123456789';

/** A started API on a fresh embedded database, and what tests need to talk to it. */
export interface Api {
  readonly url: string;
  readonly database: Database;
  readonly accounts: Accounts;
  readonly projectId: number;
  readonly organizationId: string;
  readonly userId: number;
  /** Every log line so far. */
  logged(): string;
  call(method: string, path: string, options?: CallOptions): Promise<Reply>;
  /** A key of the first user with these scopes and limits. */
  key(scopes: readonly string[], limits?: { projects?: number[]; organizations?: string[] }): Promise<string>;
  close(): Promise<void>;
}

export interface CallOptions {
  /** Default: a key of all scopes; null = none. */
  readonly key?: string | null;
  /** Sent as JSON. */
  readonly json?: unknown;
  readonly body?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // Tests look into answers freely; a wrong path fails the assertion that follows.
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what is being tested
  readonly body: any;
}

type Features = (parts: { database: Database; accounts: Accounts }) => readonly Endpoint[];

/** Starts `features` beside the accounts' own endpoints. Answers are checked against their schemas. */
export async function startApi(
  features: Features = () => [],
  options: Partial<ServerOptions> = {},
): Promise<Api> {
  const dataDir = mkdtempSync(join(tmpdir(), 'sluice-api-'));
  await prepareDatabase(dataDir);
  const database = await openDatabase({ dataDir });
  const accounts = createAccounts({
    db: database.kysely,
    clock: systemClock,
    random: seededBytes('api'),
    passwordCost: { N: 1024, r: 8, p: 1 },
  });
  const first = await accounts.bootstrap(MASTER_KEY);
  const lines: string[] = [];
  const server = await createServer({
    endpoints: [
      ...accountsEndpoints(database.kysely, accounts),
      ...tenantEndpoints(database.kysely, accounts),
      ...sessionEndpoints(accounts),
      ...keyEndpoints(accounts),
      ...projectSettingsEndpoints(database.kysely, accounts),
      ...features({ database, accounts }),
    ],
    authenticator: accounts,
    log: pino({ level: 'debug' }, collect(lines)),
    metrics: new Registry(),
    clock: systemClock,
    readiness: async () => ({ database: true }),
    rateLimitEnabled: false,
    version: '0.0.0',
    docsPage: false,
    verifyAnswers: true,
    ...options,
  });
  const url = await server.listen('127.0.0.1', 0);
  const userId = (await accounts.authenticate(MASTER_KEY))?.caller.userId ?? 0;
  return {
    url,
    database,
    accounts,
    projectId: first.projectId,
    organizationId: first.organizationId,
    userId,
    logged: () => lines.join(''),
    call: (method, path, call = {}) => request(url, method, path, call),
    async key(scopes, limits = {}) {
      const { key } = await accounts.createKey({
        userId,
        label: 'test',
        scopes,
        projects: limits.projects ?? null,
        organizations: limits.organizations ?? null,
      });
      return key;
    },
    async close() {
      await server.close();
      await database.close();
      rmSync(dataDir, { recursive: true });
    },
  };
}

async function request(url: string, method: string, path: string, options: CallOptions): Promise<Reply> {
  const key = options.key === undefined ? MASTER_KEY : options.key;
  const response = await fetch(url + path, {
    method,
    redirect: 'manual',
    headers: {
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(options.json === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    },
    body: (options.json === undefined ? options.body : JSON.stringify(options.json)) ?? null,
  });
  const text = await response.text();
  const json = (response.headers.get('content-type') ?? '').includes('application/json') && text !== '';
  return { status: response.status, headers: response.headers, text, body: json ? JSON.parse(text) : null };
}

const collect = (lines: string[]): Writable =>
  new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });

/** Repeatable bytes that never repeat within a run. */
export function seededBytes(seed: string): RandomBytes {
  let counter = 0;
  return (count) => {
    const blocks: Buffer[] = [];
    for (let have = 0; have < count; have += 32) {
      counter += 1;
      blocks.push(createHash('sha256').update(`${seed}:${counter}`).digest());
    }
    return Buffer.concat(blocks).subarray(0, count);
  };
}

/** A second person in an organization of their own, with one project and a key of all scopes. */
export async function addStranger(
  api: Api,
): Promise<{ projectId: number; organizationId: string; key: string }> {
  const now = new Date();
  const db = api.database.kysely;
  const organizationId = crypto.randomUUID();
  await db
    .insertInto('organizations')
    .values({ id: organizationId, name: 'Other', created_at: now })
    .execute();
  const project = await db
    .insertInto('projects')
    .values({
      organization_id: organizationId,
      name: 'Elsewhere',
      api_token: `phc_${organizationId}`,
      created_at: now,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  const user = await db
    .insertInto('users')
    .values({
      uuid: crypto.randomUUID(),
      distinct_id: crypto.randomUUID(),
      email: `${organizationId}@example.test`,
      current_project_id: project.id,
      created_at: now,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  await db
    .insertInto('organization_members')
    .values({ organization_id: organizationId, user_id: user.id, level: 15 })
    .execute();
  const { key } = await api.accounts.createKey({
    userId: user.id,
    label: 'stranger',
    scopes: ['*'],
    projects: null,
    organizations: null,
  });
  return { projectId: project.id, organizationId, key };
}

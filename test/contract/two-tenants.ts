import { Agent } from 'node:http';
import { sql } from 'kysely';
import { expect, vi } from 'vitest';
import { type Accounts, createAccounts } from '../../src/accounts/accounts.ts';
import { type Database, openDatabase } from '../../src/database/database.ts';
import { systemClock } from '../../src/work/clock.ts';
import { type Reply, send } from '../fuzz/send.ts';
import { type Postgres, startPostgres } from '../kit/postgres.ts';
import { type RunningSluice, startSluice } from '../kit/sluice.ts';
import { seededBytes } from './start-api.ts';

/** Everything secret or private of the tenant that is looked at holds this: nobody else may ever read it. */
export const MARK = 'private-7f3a9c';
const PASSWORD = 'a pass word for tests';
const HOUR = 3_600_000;

/** One organization with two projects and all that can be in them, and a stranger in another. */
export interface TwoTenants {
  readonly url: string;
  readonly owner: { readonly key: string; readonly userId: number };
  readonly organizationId: string;
  /** Full of objects, by the name of the path's parameter or of its folder. */
  readonly projectId: number;
  readonly objects: Readonly<Record<ObjectKind, string>>;
  /** Of the same organization; it has one export of its own. */
  readonly second: { readonly projectId: number; readonly exportId: string };
  /** Of which the owner is a member, too. */
  readonly otherOrganizationId: string;
  readonly stranger: { readonly key: string; readonly projectId: number; readonly cookies: Cookies };
  readonly accounts: Accounts;
  ask(method: string, path: string, headers: Readonly<Record<string, string>>, body?: string): Promise<Reply>;
  /** Every row of every table, but for what the server writes by itself. */
  rows(): Promise<Readonly<Record<string, readonly string[]>>>;
  close(): Promise<void>;
}

export type ObjectKind =
  | 'export'
  | 'run'
  | 'backfill'
  | 'download'
  | 'integration'
  | 'key'
  | 'app'
  | 'plugin'
  | 'unknown';

/** What a browser sends. */
export interface Cookies {
  readonly cookie: string;
  readonly 'x-csrftoken': string;
}

/** Starts one Sluice on a Postgres server, whose tables are looked at from here. */
export async function openTwoTenants(): Promise<TwoTenants> {
  await using stack = new AsyncDisposableStack();
  const postgres: Postgres = await startPostgres();
  stack.defer(() => postgres.stop());
  const url = await postgres.createDatabase();
  const sluice = await startSluice({ env: { DATABASE_URL: url } });
  stack.defer(async () => void (await sluice.stop()));
  const database = await openDatabase({ url, dataDir: sluice.dataDir });
  stack.defer(() => database.close());
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  stack.defer(() => agent.destroy());
  const accounts = createAccounts({
    db: database.kysely,
    clock: systemClock,
    random: seededBytes('isolation'),
    passwordCost: { N: 1024, r: 8, p: 1 },
  });
  const ask: TwoTenants['ask'] = (method, path, headers, body) =>
    send(sluice.ready.url, agent, {
      method,
      path,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      body: body ?? null,
    });
  const login = async (email: string): Promise<Cookies> => {
    const reply = await ask('POST', '/api/login/', {}, JSON.stringify({ email, password: PASSWORD }));
    expect(reply.status, reply.text).toBe(200);
    const pairs = [reply.headers['set-cookie'] ?? []].flat().map((line) => line.split(';', 1)[0] ?? '');
    const csrf = pairs.find((pair) => pair.startsWith('posthog_csrftoken='))?.split('=')[1] ?? '';
    return { cookie: pairs.join('; '), 'x-csrftoken': csrf };
  };
  const userId = (await accounts.authenticate(sluice.ready.personal_api_key))?.caller.userId ?? 0;
  await markTenant(database, sluice, userId);
  const objects = await fill(sluice, database);
  const second = await accounts.createProject({
    organizationId: sluice.ready.organization_id,
    name: 'second',
    userId: null,
  });
  const elsewhere = await accounts.createOrganization({ name: 'elsewhere', userId });
  const secondExport = await createExport(sluice, second, 'second');
  const stranger = await addStranger(accounts, login);
  const owned = stack.move();
  return {
    url: sluice.ready.url,
    owner: { key: sluice.ready.personal_api_key, userId },
    organizationId: sluice.ready.organization_id,
    projectId: sluice.ready.project_id,
    objects,
    second: { projectId: second, exportId: secondExport },
    otherOrganizationId: elsewhere,
    stranger,
    accounts,
    ask,
    rows: () => allRows(database),
    close: () => owned.disposeAsync(),
  };
}

/** The names that the first start gave say nothing. */
async function markTenant({ kysely }: Database, { ready }: RunningSluice, userId: number): Promise<void> {
  const name = `${MARK} name`;
  await kysely.updateTable('organizations').set({ name }).where('id', '=', ready.organization_id).execute();
  await kysely.updateTable('projects').set({ name }).where('id', '=', ready.project_id).execute();
  const email = `${MARK}@example.test`;
  await kysely.updateTable('users').set({ email, first_name: MARK }).where('id', '=', userId).execute();
}

async function addStranger(accounts: Accounts, login: (email: string) => Promise<Cookies>) {
  const email = 'stranger@example.test';
  const organizationId = await accounts.createOrganization({ name: 'strangers', userId: null });
  const projectId = await accounts.createProject({ organizationId, name: 'strange', userId: null });
  const userId = await accounts.createPerson({ email, organizationId, level: 'owner' }, PASSWORD);
  const all = { scopes: ['*'], projects: null, organizations: null };
  const { key } = await accounts.createKey({ userId, label: 'stranger', ...all });
  return { key, projectId, cookies: await login(email) };
}

/** An export with runs and a backfill, a finished download, an integration and a key. */
async function fill(sluice: RunningSluice, { kysely }: Database): Promise<Record<ObjectKind, string>> {
  const base = `/api/projects/${sluice.ready.project_id}`;
  const create = async <Body>(path: string, body: object): Promise<Body> => {
    const answer = await sluice.api<Body>('POST', path, body);
    expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
    return answer.body;
  };
  const hour = Math.floor(Date.now() / HOUR) * HOUR;
  const [start, end] = [new Date(hour - HOUR).toISOString(), new Date(hour).toISOString()];
  const event = { event: MARK, distinct_id: MARK, timestamp: start };
  await create('/batch/', { api_key: sluice.ready.project_api_key, batch: [event] });
  const integration = await create<{ id: number }>(`${base}/integrations/`, {
    kind: 's3-compatible',
    config: {
      name: `${MARK} lake`,
      aws_access_key_id: `${MARK} id`,
      aws_secret_access_key: `${MARK} secret`,
      endpoint_url: 'http://127.0.0.1:9',
    },
  });
  const app = await create<{ id: number }>(`${base}/plugin_configs/`, {
    plugin: 1,
    enabled: false,
    name: `${MARK} app`,
    config: { url: `http://127.0.0.1:9/${MARK}`, secret: `${MARK} secret` },
  });
  const exportId = await createExport(sluice, sluice.ready.project_id, MARK);
  const range = { start_at: start, end_at: end };
  const { backfill_id } = await create<{ backfill_id: string }>(
    `${base}/batch_exports/${exportId}/backfills/`,
    range,
  );
  const download = await create<{ id: string }>(`${base}/file_download_batch_exports/`, {
    model: 'events',
    data_interval_start: start,
    data_interval_end: end,
    include: [MARK],
    file: {},
  });
  const label = `${MARK} key`;
  const key = await create<{ id: string }>('/api/personal_api_keys/', { label, scopes: ['*'] });
  const runs = () => kysely.selectFrom('batch_export_runs').select(['id', 'status', 'backfill_id']).execute();
  const ended = async () =>
    expect((await runs()).map(({ status }) => status)).toEqual(['Completed', 'Completed']);
  await vi.waitFor(ended, { timeout: 60_000, interval: 50 });
  const run = (await runs()).find((row) => row.backfill_id === backfill_id);
  return {
    export: exportId,
    run: run?.id ?? '',
    backfill: backfill_id,
    download: download.id,
    integration: String(integration.id),
    key: key.id,
    app: String(app.id),
    plugin: '1',
    unknown: '1',
  };
}

async function createExport(sluice: RunningSluice, projectId: number, name: string): Promise<string> {
  const { status, body } = await sluice.api<{ id: string }>(
    'POST',
    `/api/projects/${projectId}/batch_exports/`,
    {
      name,
      interval: 'hour',
      paused: true,
      destination: { type: 'Filesystem', config: { prefix: name, file_format: 'JSONLines' } },
    },
  );
  expect(status, JSON.stringify(body)).toBe(201);
  return body.id;
}

/** The server writes them by itself: when a key was used, who holds a lease, what has been counted. */
const OWN_COLUMNS = ['last_used_at', 'owner', 'lease_until', 'flush', 'counted'];

async function allRows({ kysely }: Database): Promise<Record<string, string[]>> {
  const tables = await sql<{ name: string }>`
    select table_name as name from information_schema.tables
     where table_schema = 'public' and table_type = 'BASE TABLE' order by 1`.execute(kysely);
  const read = tables.rows.map(async ({ name }) => {
    const { rows } = await sql<{ row: string }>`
      select (to_jsonb(t) - ${OWN_COLUMNS}::text[])::text as row from ${sql.table(name)} t order by 1`.execute(
      kysely,
    );
    return [name, rows.map(({ row }) => row)] as const;
  });
  return Object.fromEntries(await Promise.all(read));
}

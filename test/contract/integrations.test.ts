import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UserSchema } from '../../src/accounts/user.ts';
import { integrationsEndpoints } from '../../src/integrations/endpoints.ts';
import { type IntegrationPorts, openIntegration } from '../../src/integrations/integrations.ts';
import { createSealer } from '../../src/integrations/sealing.ts';
import { systemClock } from '../../src/work/clock.ts';
import { createHostGuard } from '../../src/work/hosts.ts';
import { type Api, addStranger, seededBytes, startApi } from './start-api.ts';

/** contract.md §10 */

const SECRET = 'wJalrXUtnFEMI-very-secret-key';
const KEYS = { aws_access_key_id: 'AKIAEXAMPLE', aws_secret_access_key: SECRET };
const ROLE = 'arn:aws:iam::123456789012:role/exports';
const ENDPOINT = 'https://minio.example:9000';

let api: Api;
let path: string;
let ports: IntegrationPorts;
const users = new Map<number, string[]>();

beforeAll(async () => {
  const guard = createHostGuard(['10.1.0.0/16'], async (host) => {
    if (host === 'minio.example') return [{ address: '93.184.216.34', family: 4 }];
    throw new Error('no such name');
  });
  api = await startApi(({ database, accounts }) => {
    ports = {
      db: database.kysely,
      clock: systemClock,
      sealer: createSealer(['a secret for tests of at least 32 bytes'], seededBytes('seal')),
      recordActivity: accounts.recordActivity,
      membershipLevel: accounts.membershipLevel,
      usedBy: async (_db, _teamId, id) => users.get(id) ?? [],
      letGo: async () => {},
      problemWithHost: guard.problemWith,
    };
    return integrationsEndpoints(ports, { schema: UserSchema, users: accounts.users });
  });
  path = `/api/projects/${api.projectId}/integrations`;
});
afterAll(() => api.close());

const create = (kind: unknown, config: unknown, key?: string) =>
  api.call('POST', path, { json: { kind, config }, ...(key ? { key } : {}) });

describe('creating', () => {
  it.each([
    [
      'aws-s3',
      { name: 'prod-aws', ...KEYS },
      { name: 'prod-aws', aws_account_id: null },
      'prod-aws (access key)',
    ],
    ['aws-s3', { name: 'role', aws_role_arn: ROLE }, { name: 'role', aws_role_arn: ROLE }, `role (${ROLE})`],
    [
      's3-compatible',
      { name: 'minio', ...KEYS, endpoint_url: ENDPOINT },
      { name: 'minio', endpoint_url: ENDPOINT },
      `minio (${ENDPOINT})`,
    ],
    [
      's3-compatible',
      { name: 'allowed', ...KEYS, endpoint_url: 'http://10.1.2.3:9000', extra: SECRET },
      { name: 'allowed', endpoint_url: 'http://10.1.2.3:9000' },
      'allowed (http://10.1.2.3:9000)',
    ],
  ])('%s %j', async (kind, config, shown, displayName) => {
    const made = await create(kind, config);
    expect(made).toMatchObject({
      status: 201,
      body: {
        kind,
        errors: '',
        display_name: displayName,
        created_by: { id: api.userId },
        files_write_requestable: false,
        installation_shared: null,
        installation_status: null,
      },
    });
    expect(made.body.config).toEqual(shown);
    expect((await api.call('GET', `${path}/${made.body.id}/`)).body).toEqual(made.body);
  });

  it.each([
    ['an unknown kind', 'nope', {}, 'invalid_choice', 'kind'],
    ['no config', 'aws-s3', undefined, 'invalid_input', null],
    ['config that is no object', 'aws-s3', [], 'not_a_dict', 'config'],
    ['a kind to come', 'snowflake', { name: 'x' }, 'invalid_input', null],
    ['no name', 'aws-s3', KEYS, 'invalid_input', null],
    ['a blank name', 'aws-s3', { ...KEYS, name: ' ' }, 'invalid_input', null],
    ['a number for a name', 'aws-s3', { ...KEYS, name: 5 }, 'invalid_input', null],
    ['half a key', 'aws-s3', { name: 'x', aws_access_key_id: 'AKIA' }, 'invalid_input', null],
    ['key and role', 'aws-s3', { name: 'x', ...KEYS, aws_role_arn: ROLE }, 'invalid_input', null],
    ['no role', 'aws-s3', { name: 'x', aws_role_arn: 'admin' }, 'invalid_input', null],
    ['no endpoint', 's3-compatible', { name: 'x', ...KEYS }, 'invalid_input', null],
    ['no URL', 's3-compatible', { name: 'x', ...KEYS, endpoint_url: 'minio' }, 'invalid_input', null],
    [
      'another protocol',
      's3-compatible',
      { name: 'x', ...KEYS, endpoint_url: 'file:///etc' },
      'invalid_input',
      null,
    ],
    [
      'a password in the URL',
      's3-compatible',
      { name: 'x', ...KEYS, endpoint_url: 'https://a:b@minio.example' },
      'invalid_input',
      null,
    ],
    ...['ht\ttps://minio.example/', '\u0001https://minio.example/'].map(
      (endpoint_url): [string, string, Record<string, unknown>, string, null] => [
        `characters that nobody sees: ${JSON.stringify(endpoint_url)}`,
        's3-compatible',
        { name: JSON.stringify(endpoint_url), ...KEYS, endpoint_url },
        'invalid_input',
        null,
      ],
    ),
    [
      'loopback',
      's3-compatible',
      { name: 'x', ...KEYS, endpoint_url: 'http://127.0.0.1:9000' },
      'invalid_input',
      null,
    ],
    [
      'loopback in disguise',
      's3-compatible',
      { name: 'x', ...KEYS, endpoint_url: 'http://0x7f.1/' },
      'invalid_input',
      null,
    ],
    [
      'IPv6 loopback',
      's3-compatible',
      { name: 'x', ...KEYS, endpoint_url: 'http://[::1]:9000' },
      'invalid_input',
      null,
    ],
    [
      'metadata',
      's3-compatible',
      { name: 'x', ...KEYS, endpoint_url: 'http://169.254.169.254/' },
      'invalid_input',
      null,
    ],
    [
      'an unknown host',
      's3-compatible',
      { name: 'x', ...KEYS, endpoint_url: 'https://nowhere.example' },
      'invalid_input',
      null,
    ],
  ])('refuses %s', async (_what, kind, config, code, attr) => {
    const reply = await create(kind, config);
    expect(reply).toMatchObject({ status: 400, body: { type: 'validation_error', code, attr } });
    expect(reply.text).not.toContain(SECRET);
  });

  it('refuses a second of the same name and kind, also two at once', async () => {
    const replies = await Promise.all([1, 2].map(() => create('aws-s3', { name: 'twin', ...KEYS })));
    expect(replies.map((reply) => reply.status).sort()).toEqual([201, 400]);
    expect(replies.find((reply) => reply.status === 400)?.body).toMatchObject({
      code: 'invalid_input',
      attr: null,
    });
    expect((await create('s3-compatible', { name: 'twin', ...KEYS, endpoint_url: ENDPOINT })).status).toBe(
      201,
    );
  });

  it('is for any member', async () => {
    await api.database.kysely
      .updateTable('organization_members')
      .set({ level: 1 })
      .where('user_id', '=', api.userId)
      .execute();
    const made = await create('aws-s3', { name: 'by a member', ...KEYS });
    expect(made.status).toBe(201);
    expect(await api.call('DELETE', `${path}/${made.body.id}`)).toMatchObject({
      status: 403,
      body: { code: 'permission_denied' },
    });
    await api.database.kysely
      .updateTable('organization_members')
      .set({ level: 8 })
      .where('user_id', '=', api.userId)
      .execute();
    expect((await api.call('DELETE', `${path}/${made.body.id}`)).status).toBe(204);
  });
});

describe('reading and deleting', () => {
  it('lists oldest first, by kind, in pages', async () => {
    const all = (await api.call('GET', path)).body;
    const ids = all.results.map((row: { id: number }) => row.id);
    expect(all.count).toBe(ids.length);
    expect(ids).toEqual(ids.toSorted((a: number, b: number) => a - b));
    const stores = (await api.call('GET', `${path}?kind=s3-compatible`)).body.results;
    expect(stores.length).toBeGreaterThan(0);
    expect(new Set(stores.map((row: { kind: string }) => row.kind))).toEqual(new Set(['s3-compatible']));
    expect((await api.call('GET', `${path}?kind=nope`)).body).toMatchObject({ count: 0, results: [] });
    const second = (await api.call('GET', `${path}?limit=1&offset=1`)).body;
    expect(second.results.map((row: { id: number }) => row.id)).toEqual([ids[1]]);
    expect(second.previous).toBe(`${api.url}${path}?limit=1`);
  });

  it.each(['0', 'abc', '999999', '99999999999999', '-1', '%00'])('no integration %s → 404', async (id) => {
    expect((await api.call('GET', `${path}/${id}`)).status).toBe(404);
    expect((await api.call('DELETE', `${path}/${id}`)).status).toBe(404);
  });

  it('has no update', async () => {
    expect((await api.call('PATCH', `${path}/1`, { json: {} })).status).toBe(405);
    expect((await api.call('PUT', `${path}/1`, { json: {} })).status).toBe(405);
  });

  it('stays while a batch export uses it, naming it', async () => {
    const { body } = await create('aws-s3', { name: 'used', ...KEYS });
    users.set(body.id, ['Nightly', 'Hourly']);
    const refused = await api.call('DELETE', `${path}/${body.id}/`);
    expect(refused).toMatchObject({ status: 400, body: { code: 'invalid_input', attr: null } });
    expect(refused.body.detail).toContain('Nightly');
    expect(refused.body.detail).toContain('Hourly');
    users.delete(body.id);
    expect(await api.call('DELETE', `${path}/${body.id}/`)).toMatchObject({ status: 204, text: '' });
    expect((await api.call('GET', `${path}/${body.id}/`)).status).toBe(404);
  });

  it('is seen by its own project only', async () => {
    const stranger = await addStranger(api);
    const { body } = await create('aws-s3', { name: 'mine', ...KEYS });
    const theirs = `/api/projects/${stranger.projectId}/integrations`;
    expect((await api.call('GET', `${theirs}/${body.id}`, { key: stranger.key })).status).toBe(404);
    expect((await api.call('DELETE', `${theirs}/${body.id}`, { key: stranger.key })).status).toBe(404);
    expect((await api.call('GET', theirs, { key: stranger.key })).body.count).toBe(0);
    expect(await openIntegration(ports, stranger.projectId, body.id)).toBeNull();
  });

  it('needs its scopes', async () => {
    const reader = await api.key(['integration:read']);
    expect((await api.call('GET', path, { key: reader })).status).toBe(200);
    expect((await create('aws-s3', { name: 'y', ...KEYS }, reader)).status).toBe(403);
  });
});

describe('secrets', () => {
  it('open for the engine', async () => {
    const { body } = await create('aws-s3', { name: 'engine', ...KEYS });
    expect(await openIntegration(ports, api.projectId, body.id)).toEqual({
      kind: 'aws-s3',
      config: { name: 'engine', aws_account_id: null },
      secrets: KEYS,
    });
  });

  it('a role opens with the external id of its organization, whatever was sent, and shows none', async () => {
    const sent = { name: 'role of mine', aws_role_arn: ROLE, external_id: 'chosen by somebody' };
    const { body } = await create('aws-s3', sent);
    expect(body.config).toEqual({ name: 'role of mine', aws_role_arn: ROLE });
    const opened = await openIntegration(ports, api.projectId, body.id);
    expect(opened?.secrets).toEqual({ external_id: api.organizationId });
  });

  it('appear in no answer, no log line, no activity and no row', async () => {
    await create('aws-s3', { name: 'hidden', ...KEYS });
    const { text } = await api.call('GET', path);
    const db = api.database.kysely;
    const rows = await db.selectFrom('integrations').selectAll().execute();
    const activities = await db
      .selectFrom('activity_log')
      .selectAll()
      .where('scope', '=', 'Integration')
      .execute();
    expect(activities.length).toBeGreaterThan(0);
    for (const [where, seen] of Object.entries({ text, rows, activities, log: api.logged() })) {
      expect(JSON.stringify(seen), where).not.toContain(SECRET);
      expect(JSON.stringify(seen), where).not.toContain(KEYS.aws_access_key_id);
    }
  });

  it('every creation and deletion leaves an activity of who did it', async () => {
    const { body } = await create('aws-s3', { name: 'traced', ...KEYS });
    await api.call('DELETE', `${path}/${body.id}`);
    const rows = await api.database.kysely
      .selectFrom('activity_log')
      .selectAll()
      .where('scope', '=', 'Integration')
      .where('item_id', '=', String(body.id))
      .orderBy('id')
      .execute();
    expect(rows).toMatchObject([
      { activity: 'created', user_id: api.userId, team_id: api.projectId },
      { activity: 'deleted', user_id: api.userId, team_id: api.projectId },
    ]);
  });
});

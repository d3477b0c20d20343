import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAccounts } from '../../src/accounts/accounts.ts';
import { openDatabase } from '../../src/database/database.ts';
import { prepareDatabase } from '../kit/prepared-database.ts';
import { type Api, addStranger, MASTER_KEY, seededBytes, startApi } from './start-api.ts';

let api: Api;

beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

describe('§1.7 bootstrap endpoints', () => {
  it('GET /api/users/@me/', async () => {
    const { status, body } = await api.call('GET', '/api/users/@me/');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      id: api.userId,
      team: { id: api.projectId },
      organization: { id: api.organizationId },
      organizations: [{ id: api.organizationId }],
    });
    expect(body.uuid).toMatch(/^[0-9a-f-]{36}$/);
    expect(body.distinct_id).toBeTruthy();
    expect(body.email).toContain('@');
  });

  it('GET /api/personal_api_keys/@current', async () => {
    expect((await api.call('GET', '/api/personal_api_keys/@current')).body).toEqual({
      scopes: ['*'],
      scoped_teams: [],
      scoped_organizations: [],
    });
    const key = await api.key(['batch_export:read'], {
      projects: [api.projectId],
      organizations: [api.organizationId],
    });
    expect((await api.call('GET', '/api/personal_api_keys/@current/', { key })).body).toEqual({
      scopes: ['batch_export:read'],
      scoped_teams: [api.projectId],
      scoped_organizations: [api.organizationId],
    });
  });

  it('GET /api/organizations/ and one of them', async () => {
    const list = await api.call('GET', '/api/organizations/');
    expect(list.body).toMatchObject({
      count: 1,
      next: null,
      previous: null,
      results: [{ id: api.organizationId }],
    });
    for (const id of [api.organizationId, '@current']) {
      expect((await api.call('GET', `/api/organizations/${id}`)).body).toMatchObject({
        id: api.organizationId,
      });
    }
  });

  it.each(['nonsense', '00000000-0000-4000-8000-000000000000', '%00'])(
    'no organization %s → 404',
    async (id) => {
      expect((await api.call('GET', `/api/organizations/${id}/`)).status).toBe(404);
      expect((await api.call('GET', `/api/organizations/${id}/projects/`)).status).toBe(404);
    },
  );

  it('lists projects of an organization, and only those a key may enter', async () => {
    const path = `/api/organizations/${api.organizationId}/projects/`;
    const project = { id: api.projectId, organization: api.organizationId };
    expect((await api.call('GET', path)).body.results).toMatchObject([project]);
    const { id } = await api.database.kysely
      .insertInto('projects')
      .values({
        organization_id: api.organizationId,
        name: 'Second',
        api_token: 'phc_second',
        created_at: new Date(),
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    const limited = await api.key(['*'], { projects: [id] });
    expect((await api.call('GET', path, { key: limited })).body.results).toMatchObject([{ id }]);
  });

  it.each(['projects', 'environments'])('GET /api/%s/:id/', async (area) => {
    const { body } = await api.call('GET', `/api/${area}/${api.projectId}/`);
    expect(body).toMatchObject({ id: api.projectId, organization: api.organizationId, timezone: 'UTC' });
    expect(body.api_token).toMatch(/^phc_.{43}$/);
  });

  it('needs the scopes of what it reads', async () => {
    const key = await api.key(['batch_export:read']);
    const status = async (path: string) => (await api.call('GET', path, { key })).status;
    expect(await status('/api/users/@me')).toBe(200);
    expect(await status('/api/organizations')).toBe(403);
    expect(await status(`/api/organizations/${api.organizationId}/projects`)).toBe(403);
    expect(await status(`/api/projects/${api.projectId}`)).toBe(403);
  });

  it('shows nothing of other organizations', async () => {
    const stranger = await addStranger(api);
    expect((await api.call('GET', `/api/organizations/${stranger.organizationId}/`)).status).toBe(404);
    const list = await api.call('GET', '/api/organizations/', { key: stranger.key });
    expect(list.body.results.map((organization: { id: string }) => organization.id)).toEqual([
      stranger.organizationId,
    ]);
    const { key: limited, info } = await api.accounts.createKey({
      userId: api.userId,
      label: 'limited',
      scopes: ['*'],
      projects: null,
      organizations: [api.organizationId],
    });
    await api.database.kysely
      .updateTable('personal_api_keys')
      .set({ scoped_organizations: [stranger.organizationId] })
      .where('id', '=', info.id)
      .execute();
    expect((await api.call('GET', '/api/organizations/', { key: limited })).body.results).toEqual([]);
    expect(
      (await api.call('GET', `/api/organizations/${api.organizationId}/`, { key: limited })).status,
    ).toBe(403);
  });
});

describe('a new key', () => {
  const make = (limits: object) =>
    api.call('POST', '/api/personal_api_keys/', { json: { label: 'x', scopes: ['*'], ...limits } });
  const ORGANIZATION = '00000000-0000-4000-8000-000000000000';

  it.each([
    ['scopes of 10 MB', { scopes: [`${'a'.repeat(10_000_000)}:read`] }, 'scopes__0'],
    ['a hundred and one scopes', { scopes: Array(101).fill('*') }, 'scopes'],
    ['a thousand and one projects', { scoped_teams: Array(1001).fill(1) }, 'scoped_teams'],
    [
      'as many organizations',
      { scoped_organizations: Array(1001).fill(ORGANIZATION) },
      'scoped_organizations',
    ],
  ])('has no %s: each request reads all of it', async (_what, limits, attr) => {
    expect(await make(limits)).toMatchObject({
      status: 400,
      body: { type: 'validation_error', code: 'max_length', attr },
    });
  });

  it('names a project or an organization once', async () => {
    const { status, body } = await make({
      scoped_teams: [api.projectId, api.projectId],
      scoped_organizations: [api.organizationId, api.organizationId],
    });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      scoped_teams: [api.projectId],
      scoped_organizations: [api.organizationId],
    });
  });

  it.each([0, -1, 2 ** 31, 999])('is not for a project %i, which is none of its owner’s', async (id) => {
    expect(await make({ scoped_teams: [api.projectId, id] })).toMatchObject({
      status: 400,
      body: { code: 'does_not_exist', attr: 'scoped_teams' },
    });
  });
});

describe('PATCH of a project', () => {
  const patch = (json: unknown, key?: string) =>
    api.call('PATCH', `/api/projects/${api.projectId}/`, { json, ...(key && { key }) });

  it('changes the name and the time zone, and leaves an activity', async () => {
    const { body } = await patch({ name: 'Shop', timezone: 'US/Pacific', api_token: 'phc_mine' });
    expect(body).toMatchObject({ id: api.projectId, name: 'Shop', timezone: 'US/Pacific' });
    expect(body.api_token).not.toBe('phc_mine');
    expect((await api.call('GET', `/api/environments/${api.projectId}`)).body).toEqual(body);
    expect((await patch({ timezone: 'UTC' })).body).toMatchObject({ name: 'Shop', timezone: 'UTC' });
    expect((await patch({})).body.name).toBe('Shop');
    const entries = await api.database.kysely
      .selectFrom('activity_log')
      .selectAll()
      .where('scope', '=', 'Project')
      .orderBy('id')
      .execute();
    expect(entries.map((entry) => entry.detail)).toEqual([
      { name: 'Shop', timezone: 'US/Pacific' },
      { timezone: 'UTC' },
    ]);
  });

  it.each([
    [{ timezone: 'Mars/Olympus' }, 'invalid_choice', 'timezone'],
    [{ timezone: '+05:45' }, 'invalid_choice', 'timezone'],
    [{ timezone: '' }, 'blank', 'timezone'],
    [{ timezone: null }, 'null', 'timezone'],
    [{ name: ' ' }, 'blank', 'name'],
    [{ name: 'x'.repeat(201) }, 'max_length', 'name'],
  ])('%o is refused', async (json, code, attr) => {
    expect(await patch(json)).toMatchObject({ status: 400, body: { code, attr } });
  });

  it('is for administrators with project:write', async () => {
    expect((await patch({}, await api.key(['project:read']))).status).toBe(403);
    expect((await patch({}, await api.key(['project:write']))).status).toBe(200);
    const level = (value: number) =>
      api.database.kysely
        .updateTable('organization_members')
        .set({ level: value })
        .where('user_id', '=', api.userId)
        .execute();
    await level(1);
    expect(await patch({ name: 'Mine' })).toMatchObject({ status: 403, body: { code: 'permission_denied' } });
    await level(15);
    const stranger = await addStranger(api);
    expect((await patch({ name: 'Mine' }, stranger.key)).status).toBe(403);
  });
});

describe('personal API keys', () => {
  it('are stored hashed, shown masked, and leave an activity', async () => {
    const key = await api.key(['batch_export:write']);
    expect(key).toMatch(/^phx_[A-Za-z0-9_-]{43}$/);
    const rows = await api.database.kysely.selectFrom('personal_api_keys').selectAll().execute();
    const activities = await api.database.kysely.selectFrom('activity_log').selectAll().execute();
    expect(JSON.stringify([rows, activities])).not.toContain(key);
    const info = (await api.accounts.listKeys(api.userId)).at(-1);
    expect(info).toMatchObject({
      mask: `phx_...${key.slice(-4)}`,
      scopes: ['batch_export:write'],
      revokedAt: null,
    });
    expect(activities.filter((row) => row.item_id === info?.id)).toMatchObject([
      { scope: 'PersonalAPIKey', activity: 'created', user_id: api.userId },
    ]);
  });

  it.each([
    [{ scopes: [] }, 'scopes'],
    [{ scopes: ['batch_export'] }, 'scopes'],
    [{ scopes: ['batch_export:delete'] }, 'scopes'],
    [{ label: ' ' }, 'label'],
    [{ projects: [999_999] }, 'scoped_teams'],
    [{ organizations: ['00000000-0000-4000-8000-000000000000'] }, 'scoped_organizations'],
  ])('refuses %j', async (wrong, attr) => {
    const wanted = {
      userId: api.userId,
      label: 'l',
      scopes: ['*'],
      projects: null,
      organizations: null,
      ...wrong,
    };
    await expect(api.accounts.createKey(wanted)).rejects.toMatchObject({ attr });
  });

  it('remembers its last use, at most once a minute', async () => {
    let now = 1_800_000_000_000;
    const clock = { now: () => now };
    const accounts = createAccounts({ db: api.database.kysely, clock, random: seededBytes('use') });
    const wanted = { userId: api.userId, label: 'l', scopes: ['*'], projects: null, organizations: null };
    const { key, info } = await accounts.createKey(wanted);
    const lastUse = async () =>
      (await accounts.listKeys(api.userId)).find(({ id }) => id === info.id)?.lastUsedAt?.getTime() ?? null;
    expect(await lastUse()).toBeNull();
    await accounts.authenticate(key);
    now += 59_999;
    await accounts.authenticate(key);
    expect(await lastUse()).toBe(1_800_000_000_000);
    now += 1;
    await accounts.authenticate(key);
    expect(await lastUse()).toBe(now);
  });

  it('finds projects by their key, also one made a moment ago', async () => {
    const { body } = await api.call('GET', `/api/projects/${api.projectId}/`);
    expect(await api.accounts.findProjectByToken(body.api_token)).toMatchObject({ id: api.projectId });
    for (const wrong of ['phc_unknown', '', 'a\0b', 'x'.repeat(1000)]) {
      expect(await api.accounts.findProjectByToken(wrong)).toBeNull();
    }
  });
});

describe('keys through the API', () => {
  it('makes one, shows it once, lists it masked and ends it', async () => {
    const made = await api.call('POST', '/api/personal_api_keys/', {
      json: { label: 'ci', scopes: ['batch_export:read'], scoped_teams: [api.projectId] },
    });
    expect(made).toMatchObject({ status: 201, body: { label: 'ci', scoped_teams: [api.projectId] } });
    const key: string = made.body.value;
    expect(await api.accounts.authenticate(key)).toMatchObject({
      caller: { scopedProjects: [api.projectId] },
    });
    const list = await api.call('GET', '/api/personal_api_keys/');
    expect(list.body.results.map((shown: { id: string }) => shown.id)).toContain(made.body.id);
    expect(list.text).not.toContain(key);
    expect((await api.call('DELETE', `/api/personal_api_keys/${made.body.id}/`)).status).toBe(204);
    expect(await api.accounts.authenticate(key)).toBeNull();
    expect((await api.call('DELETE', `/api/personal_api_keys/${made.body.id}/`)).status).toBe(404);
    expect(api.logged()).not.toContain(key);
  });

  it('are not for narrower keys, which could widen themselves', async () => {
    const stranger = await addStranger(api);
    const narrow = [
      await api.key(['batch_export:write', 'personal_api_key:write']),
      await api.key(['*'], { projects: [api.projectId] }),
      await api.key(['*'], { organizations: [api.organizationId] }),
    ];
    for (const key of narrow) {
      const json = { label: 'wide', scopes: ['*'] };
      expect((await api.call('POST', '/api/personal_api_keys/', { key, json })).status).toBe(403);
      expect((await api.call('GET', '/api/personal_api_keys/', { key })).status).toBe(403);
    }
    const theirs = (await api.call('GET', '/api/personal_api_keys/', { key: stranger.key })).body.results[0];
    expect((await api.call('DELETE', `/api/personal_api_keys/${theirs.id}/`)).status).toBe(404);
  });

  it.each([
    [{ scopes: ['*'] }, 'required', 'label'],
    [{ label: 'l', scopes: [] }, 'empty', 'scopes'],
    [{ label: 'l', scopes: ['all'] }, 'invalid_input', 'scopes'],
    [{ label: 'l', scopes: ['*'], scoped_teams: [999_999] }, 'does_not_exist', 'scoped_teams'],
    [{ label: 'l', scopes: ['*'], scoped_organizations: ['x'] }, 'invalid_input', 'scoped_organizations__0'],
  ])('refuses %j', async (json, code, attr) => {
    expect(await api.call('POST', '/api/personal_api_keys/', { json })).toMatchObject({
      status: 400,
      body: { code, attr },
    });
  });
});

describe('the first start', () => {
  it('shows the key once, honours one from the environment ever after, and survives being run at once', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'sluice-first-'));
    await prepareDatabase(dataDir, 'empty');
    const database = await openDatabase({ dataDir });
    try {
      const parts = {
        db: database.kysely,
        clock: { now: () => 1_800_000_000_000 },
        random: seededBytes('first'),
      };
      const accounts = createAccounts(parts);
      const starts = await Promise.all([accounts.bootstrap(undefined), accounts.bootstrap(undefined)]);
      const keys = starts.map((start) => start.personalApiKey).filter((key) => key !== null);
      expect(keys).toHaveLength(1);
      expect(new Set(starts.map((start) => start.projectId)).size).toBe(1);
      expect(await accounts.authenticate(keys[0] ?? '')).toMatchObject({ caller: { scopes: ['*'] } });

      expect((await accounts.bootstrap(undefined)).personalApiKey).toBeNull();
      expect(await accounts.authenticate(MASTER_KEY)).toBeNull();
      await Promise.all([accounts.bootstrap(MASTER_KEY), accounts.bootstrap(MASTER_KEY)]);
      expect(await accounts.authenticate(MASTER_KEY)).not.toBeNull();

      const given = (await accounts.listKeys(null)).find((key) => key.label === 'Bootstrap key');
      await accounts.revokeKey(given?.id ?? '');
      expect(await accounts.authenticate(MASTER_KEY)).toBeNull();
      expect((await accounts.bootstrap(MASTER_KEY)).personalApiKey).toBe(MASTER_KEY);
      expect(await accounts.authenticate(MASTER_KEY)).not.toBeNull();

      await expect(accounts.bootstrap('short')).rejects.toMatchObject({ code: 'bad_configuration' });
    } finally {
      await database.close();
      rmSync(dataDir, { recursive: true });
    }
  });
});

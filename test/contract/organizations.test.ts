import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Api, addStranger, type CallOptions, startApi } from './start-api.ts';

/** contract.md §1.7: organizations and projects made through the API. */

let api: Api;

beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const createOrganization = (json: unknown, call: CallOptions = {}) =>
  api.call('POST', '/api/organizations/', { json, ...call });
const createProject = (organizationId: string, json: unknown, call: CallOptions = {}) =>
  api.call('POST', `/api/organizations/${organizationId}/projects/`, { json, ...call });

const activities = (scope: string, itemId: string) =>
  api.database.kysely
    .selectFrom('activity_log')
    .selectAll()
    .where('scope', '=', scope)
    .where('item_id', '=', itemId)
    .execute();

/** A member of the first organization, with a key of all scopes. */
async function addMember(level: 'member' | 'administrator'): Promise<string> {
  const userId = await api.accounts.createPerson({
    email: `${level}@example.test`,
    organizationId: api.organizationId,
    level,
  });
  const { key } = await api.accounts.createKey({
    userId,
    label: level,
    scopes: ['*'],
    projects: null,
    organizations: null,
  });
  return key;
}

describe('POST /api/organizations/', () => {
  it('makes one that its maker owns, in the shape of the GET, with an activity', async () => {
    const made = await createOrganization({ name: ' Acme ', slug: 'ignored' });
    expect(made).toMatchObject({ status: 201, body: { name: 'Acme', membership_level: 15 } });
    expect(made.body).toEqual((await api.call('GET', `/api/organizations/${made.body.id}/`)).body);
    const list = await api.call('GET', '/api/organizations/');
    expect(list.body.results.at(-1)).toEqual(made.body);
    expect(await activities('Organization', made.body.id)).toMatchObject([
      { activity: 'created', user_id: api.userId, organization_id: made.body.id, team_id: null },
    ]);
    expect((await api.call('GET', `/api/organizations/${made.body.id}/projects/`)).body.count).toBe(0);
    expect((await api.call('GET', '/api/projects/@current/')).body.id).toBe(api.projectId);
  });

  it.each([
    [{}, 'required'],
    [{ name: null }, 'null'],
    [{ name: ' ' }, 'blank'],
    [{ name: 'x'.repeat(65) }, 'max_length'],
    [{ name: 'a\0' }, 'null_characters_not_allowed'],
  ])('%j is refused', async (json, code) => {
    expect(await createOrganization(json)).toMatchObject({
      status: 400,
      body: { type: 'validation_error', code, attr: 'name' },
    });
  });

  it('needs its scope, and a key without limits', async () => {
    const status = async (key: string) => (await createOrganization({ name: 'Scoped' }, { key })).status;
    expect(await status(await api.key(['organization:read']))).toBe(403);
    expect(await status(await api.key(['organization:write']))).toBe(201);
    expect(await status(await api.key(['*'], { organizations: [api.organizationId] }))).toBe(403);
    expect(await status(await api.key(['*'], { projects: [api.projectId] }))).toBe(403);
  });
});

describe('POST /api/organizations/:id/projects/', () => {
  it('makes one in the shape of the GET, that captures and that members may enter', async () => {
    const made = await createProject(api.organizationId, { name: 'Web', timezone: 'Europe/Berlin' });
    expect(made).toMatchObject({
      status: 201,
      body: { name: 'Web', organization: api.organizationId, timezone: 'Europe/Berlin' },
    });
    const { id, api_token: token } = made.body;
    expect(made.body).toEqual((await api.call('GET', `/api/projects/${id}/`)).body);
    expect(await api.accounts.findProjectByToken(token)).toMatchObject({ id, timezone: 'Europe/Berlin' });
    expect(await activities('Project', String(id))).toMatchObject([
      { activity: 'created', user_id: api.userId, organization_id: api.organizationId, team_id: id },
    ]);
    const member = await addMember('member');
    expect((await api.call('GET', `/api/environments/${id}/`, { key: member })).status).toBe(200);
    expect((await createProject('@current', { name: 'Here' })).body.organization).toBe(api.organizationId);
  });

  it.each([
    [{}, 'required', 'name'],
    [{ name: '' }, 'blank', 'name'],
    [{ name: 'x'.repeat(201) }, 'max_length', 'name'],
    [{ name: 'x', timezone: 'Mars/Phobos' }, 'invalid_choice', 'timezone'],
    [{ name: 'x', timezone: '+02:00' }, 'invalid_choice', 'timezone'],
  ])('%j is refused', async (json, code, attr) => {
    expect(await createProject(api.organizationId, json)).toMatchObject({
      status: 400,
      body: { code, attr },
    });
  });

  it('nobody chooses its number, which decides whose events of the warehouse it sees', async () => {
    const { status, body } = await createProject(api.organizationId, { name: 'n', number: 4242, id: 4242 });
    expect(status).toBe(201);
    expect(body.id).toBeLessThan(4242);
  });

  it('is for administrators: a member is refused before the body is looked at', async () => {
    const members = await api.accounts.listPeople();
    expect(members.some(({ email }) => email === 'member@example.test')).toBe(true);
    const { key } = await api.accounts.createKey({
      userId: await api.accounts.findUserId('member@example.test'),
      label: 'member',
      scopes: ['*'],
      projects: null,
      organizations: null,
    });
    for (const json of [{ name: 'x' }, {}]) {
      expect(await createProject(api.organizationId, json, { key })).toMatchObject({
        status: 403,
        body: { code: 'permission_denied' },
      });
    }
    const administrator = await addMember('administrator');
    expect((await createProject(api.organizationId, { name: 'x' }, { key: administrator })).status).toBe(201);
  });

  it('nobody makes one elsewhere', async () => {
    const stranger = await addStranger(api);
    for (const json of [{ name: 'x' }, {}]) {
      const reply = await createProject(stranger.organizationId, json);
      expect(reply).toMatchObject({ status: 404, body: { code: 'not_found' } });
    }
    expect((await createProject('nonsense', { name: 'x' })).status).toBe(404);
  });

  it('a key limited to the organization may, one limited to projects or another organization may not', async () => {
    const { body: other } = await createOrganization({ name: 'Other' });
    const status = async (limits: Parameters<Api['key']>[1]) => {
      const key = await api.key(['project:write'], limits);
      return (await createProject(api.organizationId, { name: 'Limited' }, { key })).status;
    };
    expect(await status({ organizations: [api.organizationId] })).toBe(201);
    expect(await status({ organizations: [other.id] })).toBe(403);
    expect(await status({ projects: [api.projectId] })).toBe(403);
  });

  it('is the current project of whoever had none', async () => {
    const { body: organization } = await createOrganization({ name: 'Fresh' });
    const userId = await api.accounts.createPerson({
      email: 'fresh@example.test',
      organizationId: organization.id,
      level: 'owner',
    });
    const all = { label: 'fresh', scopes: ['*'], projects: null, organizations: null };
    const { key } = await api.accounts.createKey({ userId, ...all });
    expect((await api.call('GET', '/api/projects/@current/', { key })).status).toBe(404);
    const made = await createProject(organization.id, { name: 'First' }, { key });
    expect((await api.call('GET', '/api/projects/@current/', { key })).body.id).toBe(made.body.id);
    expect((await api.call('GET', '/api/projects/@current/')).body.id).toBe(api.projectId);
  });
});

describe('what a limited key is told of its owner', () => {
  it('no project that it may not enter', async () => {
    const { body: second } = await createProject(api.organizationId, { name: 'Second' });
    const me = async (limits: Parameters<Api['key']>[1]) =>
      (await api.call('GET', '/api/users/@me/', { key: await api.key(['*'], limits) })).body;
    expect((await me({})).team.id).toBe(api.projectId);
    expect((await me({ projects: [api.projectId] })).team.id).toBe(api.projectId);
    expect((await me({ projects: [second.id] })).team).toBeNull();
  });

  it('no organization but that of its projects', async () => {
    const { body: other } = await createOrganization({ name: 'Elsewhere' });
    const { body: project } = await createProject(other.id, { name: 'There' });
    const key = await api.key(['*'], { projects: [project.id] });
    const get = (path: string) => api.call('GET', path, { key });
    const me = await get('/api/users/@me/');
    expect(me.body).toMatchObject({ team: null, organization: { id: other.id } });
    const list = await get('/api/organizations/');
    for (const { body, text } of [
      { ...me, body: me.body.organizations },
      { ...list, body: list.body.results },
    ]) {
      expect(body.map(({ id }: { id: string }) => id)).toEqual([other.id]);
      expect(text).not.toContain(api.organizationId);
    }
    expect((await get(`/api/organizations/${other.id}/`)).status).toBe(200);
    expect((await get(`/api/organizations/${api.organizationId}/`)).status).toBe(403);
    const current = await get('/api/organizations/@current/');
    expect([current.status, current.text.includes(api.organizationId)]).toEqual([403, false]);
  });

  it('nothing of whose a project is that its owner or it may not enter', async () => {
    const { body: other } = await createOrganization({ name: 'Limits' });
    const stranger = await addStranger(api);
    const get = async (id: number, limits: Parameters<Api['key']>[1]) =>
      api.call('GET', `/api/projects/${id}/`, { key: await api.key(['*'], limits) });
    const limits = { organizations: [other.id] };
    const strange = await get(stranger.projectId, limits);
    expect(strange).toMatchObject({ status: 403, body: { code: 'permission_denied' } });
    expect(strange.body).toEqual((await get(stranger.projectId, {})).body);
    const mine = await get(api.projectId, limits);
    expect(mine).toMatchObject({ status: 403, body: { code: 'permission_denied' } });
    expect(mine.text).not.toContain(api.organizationId);
  });

  it('nothing of an organization that its owner has left', async () => {
    const { body: organization } = await createOrganization({ name: 'Left' });
    const userId = await api.accounts.createPerson({
      email: 'left@example.test',
      organizationId: organization.id,
      level: 'owner',
    });
    const all = { label: 'left', scopes: ['*'], projects: null, organizations: null };
    const { key } = await api.accounts.createKey({ userId, ...all });
    await createProject(organization.id, { name: 'Left behind' }, { key });
    const members = api.database.kysely.deleteFrom('organization_members').where('user_id', '=', userId);
    await members.execute();
    const { body, text } = await api.call('GET', '/api/users/@me/', { key });
    expect(body).toMatchObject({ team: null, organization: null, organizations: [] });
    expect(text).not.toContain('Left');
  });
});

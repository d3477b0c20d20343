import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MASK } from '../../src/apps/plugin-configs/config.ts';
import { lastTurnedOn } from '../../src/apps/plugin-configs/turned-on.ts';
import { openConfig } from '../../src/apps/sealed-config.ts';
import { type AppsApi, openApps } from './apps-kit.ts';
import { addStranger } from './start-api.ts';

/** Plugins and plugin configs: contract.md §1, §12 (delivery rate), §15. */

const SECRET = 'hush-a-very-secret-signing-key';
const HOOK = 'https://hooks.example/events';
const [WEBHOOK, REPLICATOR, S3] = [1, 2, 3];

let api: AppsApi;
let path: string;

beforeAll(async () => {
  api = await openApps();
  path = `/api/projects/${api.projectId}/plugin_configs`;
});
afterAll(() => api.close());

const post = (json: unknown, key?: string) => api.call('POST', `${path}/`, { json, ...(key && { key }) });
const patch = (id: number, json: unknown) => api.call('PATCH', `${path}/${id}/`, { json });
const hook = (config: Record<string, unknown> = {}, more = {}) =>
  post({ plugin: WEBHOOK, config: { url: HOOK, ...config }, ...more });
const rowOf = (id: number) =>
  api.database.kysely.selectFrom('plugin_configs').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const configOf = async (id: number) => openConfig(api.ports, await rowOf(id));
const activitiesOf = (id: number) =>
  api.database.kysely
    .selectFrom('activity_log')
    .selectAll()
    .where('scope', '=', 'PluginConfig')
    .where('item_id', '=', String(id))
    .orderBy('id')
    .execute();

it('D6: an app gets what arrives from its turning on, also when the clock was ahead at the time and is set back', async () => {
  const now = api.clock.now();
  const ahead = now + 3_600_000;
  const begun = async (id: number) => {
    expect((await rowOf(id)).enabled_at).toEqual(new Date(api.clock.now()));
    expect(await lastTurnedOn(api.database.kysely, api.clock)).toBe(api.clock.now());
  };
  const id = (await hook()).body.id as number;
  for (const [at, turnOn] of [
    [ahead, () => patch(id, { enabled: true })],
    [ahead + 1_000, async () => hook({}, { enabled: true })],
  ] as const) {
    api.clock.set(new Date(at).toISOString());
    const { body } = await turnOn();
    await begun(body.id);
    api.clock.set(new Date(now).toISOString());
    expect(api.stamps.next()).toBeGreaterThanOrEqual(at * 1000);
    expect(await lastTurnedOn(api.database.kysely, api.clock)).toBe(at);
  }
  // A clock of another day has turned it on: nothing is hidden for so long.
  api.clock.set(new Date(now - 2 * 86_400_000).toISOString());
  expect(await lastTurnedOn(api.database.kysely, api.clock)).toBeLessThan(ahead);
  api.clock.set(new Date(now).toISOString());
});

describe('plugins', () => {
  it('the catalogue, in pages', async () => {
    const all = (await api.call('GET', `/api/organizations/${api.organizationId}/plugins/`)).body;
    expect(all).toMatchObject({ count: 3, next: null, previous: null });
    expect(all.results.map((plugin: { id: number }) => plugin.id)).toEqual([WEBHOOK, REPLICATOR, S3]);
    const second = (await api.call('GET', '/api/organizations/@current/plugins?limit=1&offset=1')).body;
    expect(second.results).toEqual([all.results[1]]);
    expect(second.previous).toContain('limit=1');
  });

  it('one of it, as upstream shows plugins', async () => {
    const { status, body } = await api.call('GET', `/api/organizations/${api.organizationId}/plugins/1/`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      id: WEBHOOK,
      plugin_type: 'inline',
      name: 'Webhook',
      url: 'inline://webhook',
      icon: null,
      tag: null,
      latest_tag: null,
      source: null,
      is_global: true,
      organization_id: api.organizationId,
      capabilities: { jobs: ['Export historical events V2'], scheduled_tasks: [] },
      metrics: {},
    });
    expect(Object.keys(body.public_jobs['Export historical events V2'].payload)).toEqual([
      'dateRange',
      'parallelism',
    ]);
    expect(body.config_schema.find((field: { key: string }) => field.key === 'url')).toMatchObject({
      type: 'string',
      required: true,
      secret: false,
    });
    expect(body.config_schema.filter((field: { secret: boolean }) => field.secret).length).toBeGreaterThan(0);
  });

  it.each(['0', '99', 'abc', '1.5', '99999999999'])('no plugin %s → 404', async (id) => {
    expect((await api.call('GET', `/api/organizations/@current/plugins/${id}/`)).status).toBe(404);
  });

  it('of the caller’s organizations, with plugin:read', async () => {
    const stranger = await addStranger(api);
    const theirs = `/api/organizations/${stranger.organizationId}/plugins`;
    expect((await api.call('GET', theirs)).status).toBe(404);
    expect((await api.call('GET', theirs, { key: stranger.key })).status).toBe(200);
    const key = await api.key(['integration:read']);
    expect((await api.call('GET', '/api/organizations/@current/plugins', { key })).status).toBe(403);
  });
});

describe('creating', () => {
  it('answers the whole object', async () => {
    const { status, body } = await hook(
      { secret: SECRET },
      { enabled: true, order: 7, name: 'Mine', description: 'To us' },
    );
    expect(status).toBe(201);
    expect(body).toEqual({
      id: body.id,
      plugin: WEBHOOK,
      enabled: true,
      order: 7,
      config: { url: HOOK, secret: MASK, shape: 'batch' },
      error: null,
      team_id: api.projectId,
      plugin_info: expect.objectContaining({
        id: WEBHOOK,
        name: 'Webhook',
        organization_id: api.organizationId,
      }),
      delivery_rate_24h: 1,
      created_at: '2021-12-05T13:23:00Z',
      updated_at: '2021-12-05T13:23:00Z',
      name: 'Mine',
      description: 'To us',
      deleted: false,
    });
    expect((await api.call('GET', `${path}/${body.id}/`)).body).toEqual(body);
    const environments = path.replace('projects', 'environments');
    expect((await api.call('GET', `${environments}/${body.id}`)).body).toEqual(body);
    expect(await configOf(body.id)).toEqual({ url: HOOK, secret: SECRET, shape: 'batch' });
    expect((await rowOf(body.id)).enabled_at).toEqual(new Date('2021-12-05T13:23:00Z'));
  });

  it('is off unless it is said, behind all others, and takes the config as text', async () => {
    const { body } = await post({ plugin: WEBHOOK, config: JSON.stringify({ url: HOOK }) });
    expect(body).toMatchObject({ enabled: false, order: 8, name: null, config: { url: HOOK } });
    expect((await rowOf(body.id)).enabled_at).toBeNull();
  });

  it.each([
    ['https://hooks.example/a\u0000b', 'null_characters_not_allowed'],
    ['https://hooks.example/\ud800', 'surrogate_characters_not_allowed'],
  ])('text of a config is looked into: %j', async (url, code) => {
    const refused = { status: 400, body: { type: 'validation_error', code, attr: 'config' } };
    const { id } = (await hook()).body;
    for (const fields of [{ url }, { url: HOOK, secret: url }, { [url]: HOOK }]) {
      for (const config of [fields, JSON.stringify(fields)]) {
        expect(await post({ plugin: WEBHOOK, config })).toMatchObject(refused);
        expect(await patch(id, { config })).toMatchObject(refused);
      }
    }
  });

  it.each<[string, unknown, string, string | null]>([
    ['nothing', {}, 'required', 'plugin'],
    ['no such app', { plugin: 99 }, 'does_not_exist', 'plugin'],
    ['a word for a number', { plugin: 'webhook' }, 'incorrect_type', 'plugin'],
    ['null', { plugin: null }, 'null', 'plugin'],
    ['no config', { plugin: WEBHOOK }, 'required', 'config__url'],
    ['a blank', { plugin: WEBHOOK, config: { url: ' ' } }, 'blank', 'config__url'],
    ['a null', { plugin: WEBHOOK, config: { url: null } }, 'null', 'config__url'],
    ['a number for text', { plugin: WEBHOOK, config: { url: 5 } }, 'invalid_input', 'config__url'],
    [
      'what there is not',
      { plugin: WEBHOOK, config: { url: HOOK, uri: 'x' } },
      'invalid_input',
      'config__uri',
    ],
    [
      'a choice of none',
      { plugin: WEBHOOK, config: { url: HOOK, shape: 'x' } },
      'invalid_choice',
      'config__shape',
    ],
    ['a list', { plugin: WEBHOOK, config: [] }, 'not_a_dict', 'config'],
    ['no JSON', { plugin: WEBHOOK, config: '{' }, 'not_a_dict', 'config'],
    ['no URL', { plugin: WEBHOOK, config: { url: 'hooks.example' } }, 'invalid_input', 'config__url'],
    [
      'another scheme',
      { plugin: WEBHOOK, config: { url: 'file:///etc/passwd' } },
      'invalid_input',
      'config__url',
    ],
    [
      'a private name',
      { plugin: WEBHOOK, config: { url: 'https://inside.example/' } },
      'invalid_input',
      'config__url',
    ],
    [
      'a private address',
      { plugin: WEBHOOK, config: { url: 'http://127.0.0.1/' } },
      'invalid_input',
      'config__url',
    ],
    [
      'a metadata service',
      { plugin: WEBHOOK, config: { url: 'http://169.254.169.254/' } },
      'invalid_input',
      'config__url',
    ],
    [
      'an unknown name',
      { plugin: WEBHOOK, config: { url: 'https://nowhere.example/' } },
      'invalid_input',
      'config__url',
    ],
    [
      'a private replica',
      { plugin: REPLICATOR, config: { host: 'http://[::1]:8010', project_api_key: 'phc_x' } },
      'invalid_input',
      'config__host',
    ],
    [
      'no secret to keep',
      { plugin: REPLICATOR, config: { host: 'https://hooks.example', project_api_key: MASK } },
      'required',
      'config__project_api_key',
    ],
    [
      'no word of on',
      { plugin: WEBHOOK, enabled: 'perhaps', config: { url: HOOK } },
      'invalid_input',
      'enabled',
    ],
    ['a long name', { plugin: WEBHOOK, name: 'x'.repeat(401), config: { url: HOOK } }, 'max_length', 'name'],
  ])('%s is refused', async (_, json, code, attr) => {
    const before = (await api.call('GET', path)).body.count;
    expect(await post(json)).toMatchObject({ status: 400, body: { type: 'validation_error', code, attr } });
    expect((await api.call('GET', path)).body.count).toBe(before);
  });
});

describe('changing', () => {
  it('only what is sent; the mask and silence keep secrets, null removes', async () => {
    const { body: made } = await hook({ secret: SECRET, authorization: 'Bearer x' }, { name: 'A' });
    api.clock.advance(60_000);
    const moved = await patch(made.id, { config: { url: `${HOOK}/v2`, secret: MASK }, order: 3 });
    expect(moved.body).toMatchObject({
      config: { url: `${HOOK}/v2`, secret: MASK, authorization: MASK, shape: 'batch' },
      order: 3,
      name: 'A',
      created_at: made.created_at,
      updated_at: '2021-12-05T13:24:00Z',
    });
    expect(await configOf(made.id)).toMatchObject({
      url: `${HOOK}/v2`,
      secret: SECRET,
      authorization: 'Bearer x',
    });
    await patch(made.id, { config: { secret: 'another', authorization: null }, name: null });
    expect(await configOf(made.id)).toEqual({ url: `${HOOK}/v2`, secret: 'another', shape: 'batch' });
    expect((await api.call('GET', `${path}/${made.id}`)).body).toMatchObject({
      name: null,
      config: { secret: MASK },
    });
    expect((await patch(made.id, {})).status).toBe(200);
    api.clock.set('2021-12-05T13:23:00Z');
  });

  it('does not take secrets to another address', async () => {
    const { body: made } = await hook({ secret: SECRET });
    const elsewhere = { url: 'https://hooks.example:444/take' };
    for (const config of [elsewhere, { ...elsewhere, secret: MASK }]) {
      expect(await patch(made.id, { config })).toMatchObject({
        status: 400,
        body: { code: 'required', attr: 'config__secret' },
      });
    }
    expect((await patch(made.id, { config: { ...elsewhere, secret: SECRET } })).status).toBe(200);
    expect((await patch(made.id, { config: { url: HOOK, secret: null } })).status).toBe(200);
  });

  it.each(['ht\ttps://hooks.example:444/', '\u0001https://hooks.example:444/'])(
    'nor to one that is only spelled as if it were none: %j',
    async (address) => {
      const archive = { bucket_name: 'b', aws_access_key_id: 'AKIA', aws_secret_access_key: SECRET };
      const apps = [
        [WEBHOOK, 'url', { url: HOOK, authorization: SECRET }, { authorization: SECRET }],
        [REPLICATOR, 'host', { host: HOOK, project_api_key: SECRET }, { project_api_key: SECRET }],
        [S3, 'endpoint_url', archive, archive],
        [S3, 'endpoint_url', { ...archive, endpoint_url: HOOK }, archive],
      ] as const;
      for (const [plugin, key, config, again] of apps) {
        const { id } = (await post({ plugin, config })).body;
        const before = await rowOf(id);
        const changes = [
          [{ [key]: address }, 'required', expect.any(String)],
          [{ ...again, [key]: address }, 'invalid_input', `config__${key}`],
        ] as const;
        for (const [change, code, attr] of changes) {
          expect(await patch(id, { config: change }), `${plugin}`).toMatchObject({
            status: 400,
            body: { code, attr },
          });
        }
        expect(await rowOf(id)).toEqual(before);
        expect((await post({ plugin, config: { ...config, [key]: address } })).body).toMatchObject({
          code: 'invalid_input',
          attr: `config__${key}`,
        });
      }
    },
  );

  it('nor to one that was sent as a secret before', async () => {
    const { body: made } = await hook({ secret: SECRET });
    const elsewhere = 'https://hooks.example:444/';
    expect((await patch(made.id, { config: { authorization: elsewhere } })).status).toBe(200);
    expect(await patch(made.id, { config: { url: elsewhere, authorization: null } })).toMatchObject({
      status: 400,
      body: { code: 'required', attr: 'config__secret' },
    });
  });

  it('on and off: live delivery begins when it was last turned on', async () => {
    const { body: made } = await hook();
    const enabledAt = async () => (await rowOf(made.id)).enabled_at?.toISOString() ?? null;
    expect(await enabledAt()).toBeNull();
    api.clock.set('2021-12-05T14:00:00Z');
    expect((await patch(made.id, { enabled: true })).body.enabled).toBe(true);
    expect(await enabledAt()).toBe('2021-12-05T14:00:00.000Z');
    api.clock.set('2021-12-05T15:00:00Z');
    await patch(made.id, { enabled: true, name: 'still on' });
    await patch(made.id, { enabled: false });
    expect(await enabledAt()).toBe('2021-12-05T14:00:00.000Z');
    await patch(made.id, { enabled: 'on' });
    expect(await enabledAt()).toBe('2021-12-05T15:00:00.000Z');
    api.clock.set('2021-12-05T13:23:00Z');
    expect((await activitiesOf(made.id)).map((row) => row.activity)).toEqual([
      'created',
      'enabled',
      'updated',
      'disabled',
      'enabled',
    ]);
  });

  it('checks as creating does', async () => {
    const { body: made } = await hook();
    expect(await patch(made.id, { config: { url: null } })).toMatchObject({
      body: { attr: 'config__url', code: 'null' },
    });
    expect(await patch(made.id, { config: { nope: 1 } })).toMatchObject({ body: { attr: 'config__nope' } });
    expect(await patch(made.id, { config: { url: 'http://10.0.0.1/' } })).toMatchObject({ status: 400 });
    expect(await configOf(made.id)).toMatchObject({ url: HOOK });
  });
});

describe('reading and deleting', () => {
  it('in the order given, in pages', async () => {
    const all = (await api.call('GET', path)).body;
    const keys = all.results.map(({ order, id }: { order: number; id: number }) => order * 1e6 + id);
    expect(keys).toEqual(keys.toSorted((a: number, b: number) => a - b));
    const page = (await api.call('GET', `${path}/?limit=2&offset=1`)).body;
    expect(page.results).toEqual(all.results.slice(1, 3));
    expect(page.next).toBe(`${api.url}${path}/?limit=2&offset=3`);
  });

  it('deleted is gone, and leaves its trace', async () => {
    const { body } = await hook({}, { enabled: true });
    expect(await api.call('DELETE', `${path}/${body.id}/`)).toMatchObject({ status: 204, text: '' });
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      expect(
        (await api.call(method, `${path}/${body.id}/`, method === 'PATCH' ? { json: {} } : {})).status,
      ).toBe(404);
    }
    const ids = (await api.call('GET', path)).body.results.map((row: { id: number }) => row.id);
    expect(ids).not.toContain(body.id);
    expect(await rowOf(body.id)).toMatchObject({ enabled: false });
    expect((await activitiesOf(body.id)).at(-1)).toMatchObject({ activity: 'deleted', user_id: api.userId });
  });

  it.each(['0', 'abc', '1.5', '999999', '99999999999', '%00', '@current'])(
    'none of id %s → 404',
    async (id) => {
      for (const [method, json] of [['GET'], ['PATCH', {}], ['DELETE']] as const) {
        expect((await api.call(method, `${path}/${id}/`, { json })).status).toBe(404);
      }
      expect((await api.call('POST', `${path}/${id}/job`, { json: {} })).status).toBe(404);
    },
  );

  it('belongs to its project alone', async () => {
    const stranger = await addStranger(api);
    const { body } = await hook();
    const theirs = `/api/projects/${stranger.projectId}/plugin_configs`;
    const { key } = stranger;
    expect((await api.call('GET', theirs, { key })).body.count).toBe(0);
    for (const [method, json] of [['GET'], ['PATCH', { enabled: true }], ['DELETE']] as const) {
      expect((await api.call(method, `${theirs}/${body.id}/`, { key, json })).status).toBe(404);
      expect((await api.call(method, `${path}/${body.id}/`, { key, json })).status).toBe(403);
    }
    expect((await api.call('POST', `${theirs}/${body.id}/job`, { key, json: {} })).status).toBe(404);
    expect((await rowOf(body.id)).enabled).toBe(false);
  });

  it('§1.3 reading takes plugin:read, changing plugin:write', async () => {
    const { body } = await hook();
    const reader = await api.key(['plugin:read']);
    expect((await api.call('GET', path, { key: reader })).status).toBe(200);
    expect((await api.call('GET', `${path}/${body.id}`, { key: reader })).status).toBe(200);
    for (const [method, rest] of [
      ['POST', ''],
      ['PATCH', `/${body.id}`],
      ['DELETE', `/${body.id}`],
      ['POST', `/${body.id}/job`],
    ]) {
      const answer = await api.call(String(method), `${path}${rest}/`, { key: reader, json: {} });
      expect(answer, `${method} ${rest}`).toMatchObject({ status: 403, body: { code: 'permission_denied' } });
    }
    const writer = await api.key(['plugin:write']);
    expect((await api.call('PATCH', `${path}/${body.id}`, { key: writer, json: {} })).status).toBe(200);
  });
});

describe('§12 delivery_rate_24h', () => {
  it('(ok + ok on retry) of all, of the last 24 hours', async () => {
    const { body } = await hook();
    const common = { plugin_config_id: body.id, category: 'webhook' };
    const rate = async () => (await api.call('GET', `${path}/${body.id}/`)).body.delivery_rate_24h;
    await api.count({ ...common, timestamp: '2021-12-04 13:22:59', failures: 50 });
    expect(await rate()).toBe(1);
    await api.count({
      ...common,
      timestamp: '2021-12-05 00:00:00',
      successes: 6,
      successes_on_retry: 1,
      failures: 3,
    });
    expect(await rate()).toBe(0.7);
    const listed = (await api.call('GET', `${path}?limit=1000`)).body.results;
    expect(listed.find((row: { id: number }) => row.id === body.id).delivery_rate_24h).toBe(0.7);
  });

  it('1 where rows count nothing', async () => {
    const { body } = await hook();
    await api.count({ plugin_config_id: body.id, category: 'webhook', timestamp: '2021-12-05 00:00:00' });
    expect((await api.call('GET', `${path}/${body.id}/`)).body.delivery_rate_24h).toBe(1);
  });
});

it('what delivery fails with is shown', async () => {
  const { body } = await hook({}, { enabled: true });
  await api.database.kysely
    .insertInto('app_deliveries')
    .values({
      id: api.ports.newId(),
      plugin_config_id: body.id,
      since: new Date('2021-12-05T13:00:00Z'),
      cursor_first: 0,
      cursor_second: 0,
      cursor_uuid: api.ports.newId(),
      failures: 2,
      failing_since: new Date('2021-12-05T13:10:00Z'),
      latest_error: 'The receiver answered 503.',
    })
    .execute();
  expect((await api.call('GET', `${path}/${body.id}/`)).body.error).toEqual({
    message: 'The receiver answered 503.',
    time: '2021-12-05T13:10:00Z',
  });
});

it('secrets appear in no answer, no log line, no activity and in no row in the open', async () => {
  const { body } = await hook({ secret: SECRET, authorization: `Bearer ${SECRET}` });
  await patch(body.id, { config: { secret: `${SECRET}2` } });
  await patch(body.id, { config: { secret: SECRET, shape: SECRET } });
  const seen = {
    one: (await api.call('GET', `${path}/${body.id}/`)).text,
    list: (await api.call('GET', path)).text,
    rows: await api.database.kysely.selectFrom('plugin_configs').selectAll().execute(),
    activities: await activitiesOf(body.id),
    log: api.logged(),
  };
  expect(seen.activities).toHaveLength(2);
  for (const [where, text] of Object.entries(seen)) expect(JSON.stringify(text), where).not.toContain(SECRET);
});

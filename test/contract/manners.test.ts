import { once } from 'node:events';
import { connect } from 'node:net';
import { Type } from 'typebox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Endpoint, endpoint } from '../../src/http/endpoint.ts';
import { type Api, addStranger, MASTER_KEY, startApi } from './start-api.ts';

/** contract.md §1: what every endpoint does alike, tried on a few made for it. */

const Echo = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 10 }),
  model: Type.Optional(Type.Union([Type.Literal('events'), Type.Literal('persons')], { default: 'events' })),
  paused: Type.Optional(Type.Boolean()),
  count: Type.Optional(Type.Union([Type.Integer({ minimum: 0, maximum: 6 }), Type.Null()])),
  destination: Type.Optional(
    Type.Object({
      type: Type.String({ minLength: 1 }),
      config: Type.Record(Type.String(), Type.Unknown()),
      integration: Type.Optional(Type.Union([Type.Integer({ 'x-reference': true }), Type.Null()])),
    }),
  ),
  filters: Type.Optional(Type.Union([Type.Array(Type.Object({ key: Type.String() })), Type.Null()])),
  start_at: Type.Optional(Type.Union([Type.String({ format: 'date-time' }), Type.Null()])),
});

const base = { tag: 'test', summary: 'For tests.' } as const;

const endpoints: readonly Endpoint[] = [
  endpoint({
    ...base,
    method: 'POST',
    area: 'project',
    path: '/things',
    operationId: 'things_create',
    scope: 'thing:write',
    body: Echo,
    response: { 201: Type.Unknown() },
    handler: async ({ body, project }) => ({ status: 201, body: { project: project.id, body } }),
  }),
  endpoint({
    ...base,
    method: 'GET',
    area: 'project',
    path: '/things',
    operationId: 'things_list',
    scope: 'thing:read',
    query: Type.Object({
      status: Type.Optional(Type.Array(Type.Union([Type.Literal('a'), Type.Literal('b')]))),
    }),
    response: { 200: Type.Unknown() },
    handler: async ({ query, project, url }) => ({
      status: 200,
      body: { project: project.id, query, url: url.href },
    }),
  }),
  endpoint({
    ...base,
    method: 'POST',
    area: 'project',
    path: '/things/:id/pause',
    operationId: 'things_pause_create',
    scope: 'thing:write',
    response: { 200: Type.Unknown(), 204: null },
    handler: async ({ params }) =>
      params.id === 'gone' ? { status: 204 } : { status: 200, body: { paused: true } },
  }),
  endpoint({
    ...base,
    method: 'GET',
    area: 'api',
    path: '/crash',
    operationId: 'crash',
    scope: null,
    response: { 200: Type.Object({ a: Type.String() }) },
    handler: async ({ query }) => {
      if (query.how === 'wrong') return { status: 200, body: { a: 1 } };
      throw new Error('the password is hunter2');
    },
  }),
  endpoint({
    ...base,
    method: 'POST',
    area: 'root',
    path: '/raw',
    operationId: 'raw',
    scope: 'public',
    rawBody: true,
    cors: true,
    bodyLimit: 100,
    response: { 200: Type.Unknown() },
    handler: async ({ raw }) => ({ status: 200, body: { bytes: raw.length, first: raw[0] ?? null } }),
  }),
];

let api: Api;
let things: string;

beforeAll(async () => {
  api = await startApi(() => endpoints);
  things = `/api/projects/${api.projectId}/things`;
});
afterAll(() => api.close());

describe('§1.1 URLs', () => {
  it.each(['projects', 'environments'])(
    '/api/%s/, with and without the slash, never a redirect',
    async (area) => {
      for (const slash of ['', '/']) {
        const reply = await api.call('GET', `/api/${area}/${api.projectId}/things${slash}`);
        expect(reply.status).toBe(200);
        expect(reply.body.project).toBe(api.projectId);
      }
    },
  );

  it('@current is the current project', async () => {
    expect((await api.call('GET', '/api/projects/@current/things/')).body.project).toBe(api.projectId);
  });

  it.each([
    ['empty', ''],
    ['white space', ' \n'],
    ['{}', '{}'],
  ])('an %s JSON body is {}', async (_what, body) => {
    const reply = await api.call('POST', `${things}/1/pause/`, {
      body,
      headers: { 'content-type': 'application/json' },
    });
    expect(reply).toMatchObject({ status: 200, body: { paused: true } });
  });

  it('no body and no content type is {}', async () => {
    expect((await api.call('POST', `${things}/1/pause`)).status).toBe(200);
  });

  it('an empty answer has no body', async () => {
    expect(await api.call('POST', `${things}/gone/pause`)).toMatchObject({ status: 204, text: '' });
  });

  it('reads forms, and ignores keys it does not know', async () => {
    const form = await api.call('POST', things, {
      body: 'name=n&count=5&paused=on&unknown=1',
      headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
    });
    expect(form.body.body).toEqual({ name: 'n', model: 'events', count: 5, paused: true });
    const multipart = await api.call('POST', things, {
      body: '--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nm\r\n--b--\r\n',
      headers: { 'content-type': 'multipart/form-data; boundary=b' },
    });
    expect(multipart.body.body).toEqual({ name: 'm', model: 'events' });
  });

  it('makes links from the host the client used, unless it is none', async () => {
    expect((await api.call('GET', `${things}?status=a`)).body.url).toBe(`${api.url}${things}?status=a`);
  });
});

describe('§1.2 project resolution', () => {
  it.each(['abc', '1.5', '-1', '999999', '99999999999999999999', '%00', '@me'])('%s → 404', async (id) => {
    const reply = await api.call('GET', `/api/projects/${id}/things`);
    expect(reply).toMatchObject({
      status: 404,
      body: { type: 'invalid_request', code: 'not_found', attr: null },
    });
  });

  it('@current without a current project → 404', async () => {
    const stranger = await addStranger(api);
    await api.database.kysely
      .updateTable('users')
      .set({ current_project_id: null })
      .where('current_project_id', '=', stranger.projectId)
      .execute();
    expect((await api.call('GET', '/api/projects/@current/things', { key: stranger.key })).status).toBe(404);
  });

  it('a project of another organization → 403', async () => {
    const stranger = await addStranger(api);
    expect(await api.call('GET', `/api/projects/${stranger.projectId}/things`)).toMatchObject({
      status: 403,
      body: { type: 'authentication_error', code: 'permission_denied', attr: null },
    });
  });

  it('checks in order: key, scope, project, membership, body', async () => {
    const stranger = await addStranger(api);
    const reader = await api.key(['other:read']);
    const status = async (path: string, key: string | null) =>
      (await api.call('POST', path, { key, json: {} })).status;
    expect(await status('/api/projects/abc/things', null)).toBe(401);
    expect(await status('/api/projects/abc/things', reader)).toBe(403);
    expect(await status('/api/projects/abc/things', MASTER_KEY)).toBe(404);
    expect(await status(`/api/projects/${stranger.projectId}/things`, MASTER_KEY)).toBe(403);
    expect(await status(things, MASTER_KEY)).toBe(400);
  });
});

describe('§1.3 authentication', () => {
  it('takes the key from header, body or query', async () => {
    expect(
      (await api.call('POST', things, { key: null, json: { name: 'n', personal_api_key: MASTER_KEY } }))
        .status,
    ).toBe(201);
    expect((await api.call('GET', `${things}?personal_api_key=${MASTER_KEY}`, { key: null })).status).toBe(
      200,
    );
  });

  it.each([
    ['header', { headers: { authorization: 'Bearer phx_nope' } }, ''],
    ['body', { json: { personal_api_key: 'phx_nope' } }, ''],
    ['query', { json: {} }, '?personal_api_key=phx_nope'],
  ])('names where a bad key was found: %s', async (place, call, query) => {
    const reply = await api.call('POST', things + query, { key: null, ...call });
    expect(reply).toMatchObject({
      status: 401,
      body: { type: 'authentication_error', code: 'authentication_failed' },
    });
    expect(reply.body.detail).toContain(place);
  });

  it('tries only the first place', async () => {
    const reply = await api.call('POST', things, {
      key: 'phx_nope',
      json: { name: 'n', personal_api_key: MASTER_KEY },
    });
    expect(reply.body).toMatchObject({ code: 'authentication_failed' });
  });

  it('other schemes count as no credentials', async () => {
    const reply = await api.call('GET', things, { key: null, headers: { authorization: 'Basic Zm9v' } });
    expect(reply).toMatchObject({ status: 401, body: { code: 'not_authenticated', attr: null } });
    expect(reply.headers.has('www-authenticate')).toBe(false);
  });

  it.each([
    [['thing:read'], 200, 403],
    [['thing:write'], 200, 201],
    [['*'], 200, 201],
    [['thing_more:write'], 403, 403],
  ])('scopes %j: read %i, write %i', async (scopes, read, write) => {
    const key = await api.key(scopes);
    expect((await api.call('GET', things, { key })).status).toBe(read);
    expect((await api.call('POST', things, { key, json: { name: 'n' } })).status).toBe(write);
  });

  it('names the missing scope', async () => {
    const reply = await api.call('POST', things, { key: await api.key(['thing:read']), json: {} });
    expect(reply.body.detail).toContain('thing:write');
  });

  it('a key limited to projects or organizations reaches only those', async () => {
    const elsewhere = await api.database.kysely
      .insertInto('projects')
      .values({
        organization_id: api.organizationId,
        name: 'Two',
        api_token: 'phc_two',
        created_at: new Date(),
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    const limited = await api.key(['*'], { projects: [elsewhere.id] });
    const refused = await api.call('GET', things, { key: limited });
    expect(refused).toMatchObject({ status: 403, body: { code: 'permission_denied' } });
    expect(refused.body.detail).toContain(String(api.projectId));
    expect((await api.call('GET', `/api/projects/${elsewhere.id}/things`, { key: limited })).status).toBe(
      200,
    );
    const second = crypto.randomUUID();
    const db = api.database.kysely;
    await db
      .insertInto('organizations')
      .values({ id: second, name: 'Second', created_at: new Date() })
      .execute();
    await db
      .insertInto('organization_members')
      .values({ organization_id: second, user_id: api.userId, level: 1 })
      .execute();
    const foreign = await api.key(['*'], { organizations: [second] });
    expect((await api.call('GET', things, { key: foreign })).status).toBe(403);
    const own = await api.key(['*'], { organizations: [api.organizationId] });
    expect((await api.call('GET', things, { key: own })).status).toBe(200);
  });

  it('a revoked key ends at once, an inactive user too', async () => {
    const key = await api.key(['*']);
    const listed = (await api.accounts.listKeys(api.userId)).at(-1);
    expect((await api.call('GET', things, { key })).status).toBe(200);
    await api.accounts.revokeKey(listed?.id ?? '');
    expect((await api.call('GET', things, { key })).body.code).toBe('authentication_failed');
    const stranger = await addStranger(api);
    const path = `/api/projects/${stranger.projectId}/things`;
    expect((await api.call('GET', path, { key: stranger.key })).status).toBe(200);
    await api.database.kysely
      .updateTable('users')
      .set({ is_active: false })
      .where('current_project_id', '=', stranger.projectId)
      .execute();
    expect((await api.call('GET', path, { key: stranger.key })).status).toBe(401);
  });
});

describe('§1.4 the envelope', () => {
  const json = { 'content-type': 'application/json' };

  it.each([
    ['an unknown path', 'GET', '/nowhere', {}, 404, 'not_found'],
    ['an unknown API path', 'POST', '/api/nowhere/', { json: {} }, 404, 'not_found'],
    ['a path that is not a path', 'GET', '/%zz', {}, 404, 'not_found'],
    ['a wrong method', 'DELETE', 'THINGS', {}, 405, 'method_not_allowed'],
    ['a wrong method with a body', 'PUT', 'THINGS', { json: {} }, 405, 'method_not_allowed'],
    ['OPTIONS', 'OPTIONS', 'THINGS', {}, 405, 'method_not_allowed'],
    ['malformed JSON', 'POST', 'THINGS', { body: '{"a":', headers: json }, 400, 'parse_error'],
    ['NaN', 'POST', 'THINGS', { body: '{"name":NaN}', headers: json }, 400, 'parse_error'],
    [
      'JSON that is not UTF-8',
      'POST',
      'THINGS',
      { body: Uint8Array.of(34, 255, 34), headers: json },
      400,
      'parse_error',
    ],
    [
      'a broken form',
      'POST',
      'THINGS',
      { body: 'x', headers: { 'content-type': 'multipart/form-data' } },
      400,
      'parse_error',
    ],
    [
      'XML',
      'POST',
      'THINGS',
      { body: '<a/>', headers: { 'content-type': 'application/xml' } },
      415,
      'unsupported_media_type',
    ],
    [
      'a nonsense type',
      'POST',
      'THINGS',
      { body: 'a', headers: { 'content-type': '/' } },
      415,
      'unsupported_media_type',
    ],
    ['too much', 'POST', '/raw', { body: 'x'.repeat(101) }, 413, 'request_too_large'],
    ['a crash', 'GET', '/api/crash/', {}, 500, 'error'],
  ])('%s', async (_what, method, path, call, status, code) => {
    const reply = await api.call(method, path === 'THINGS' ? things : path, call);
    expect(reply).toMatchObject({ status, body: { code, attr: null } });
    expect(Object.keys(reply.body).sort()).toEqual(['attr', 'code', 'detail', 'type']);
  });

  it('a crash tells nothing, and the log everything but secrets', async () => {
    const reply = await api.call('GET', '/api/crash/');
    expect(reply.body).toEqual({
      type: 'server_error',
      code: 'error',
      detail: 'A server error occurred.',
      attr: null,
    });
    expect(api.logged()).toContain('"msg":"crash"');
  });

  it('an answer unlike its schema does not leave in tests', async () => {
    expect((await api.call('GET', '/api/crash/?how=wrong')).status).toBe(500);
  });

  it('405 says what is allowed, after 401', async () => {
    const reply = await api.call('DELETE', things);
    expect(reply.headers.get('allow')?.split(', ').sort()).toEqual(['GET', 'HEAD', 'POST']);
    expect((await api.call('DELETE', things, { key: null })).status).toBe(401);
  });

  it('HEAD is GET without the body', async () => {
    expect(await api.call('HEAD', things)).toMatchObject({ status: 200, text: '' });
    expect(await api.call('HEAD', things, { key: null })).toMatchObject({ status: 401, text: '' });
  });
});

describe('§1.4 validation codes', () => {
  const valid = { name: 'n' };
  const deep = JSON.parse('['.repeat(500) + ']'.repeat(500));
  it.each([
    ['missing', {}, 'required', 'name'],
    ['null', { name: null }, 'null', 'name'],
    ['blank', { name: '  ' }, 'blank', 'name'],
    ['too long', { name: 'x'.repeat(11) }, 'max_length', 'name'],
    ['a list for text', { name: [] }, 'invalid_input', 'name'],
    ['a boolean for text', { name: true }, 'invalid_input', 'name'],
    ['NUL', { name: 'a\0' }, 'null_characters_not_allowed', 'name'],
    ['half a surrogate pair', { name: '\ud800' }, 'surrogate_characters_not_allowed', 'name'],
    ['not a choice', { ...valid, model: 'x' }, 'invalid_choice', 'model'],
    ['an object for a choice', { ...valid, model: {} }, 'invalid_choice', 'model'],
    ['null for a choice', { ...valid, model: null }, 'null', 'model'],
    ['not a boolean', { ...valid, paused: 'maybe' }, 'invalid_input', 'paused'],
    ['not an integer', { ...valid, count: 'x' }, 'invalid_input', 'count'],
    ['a fraction', { ...valid, count: 1.5 }, 'invalid_input', 'count'],
    ['a boolean for an integer', { ...valid, count: true }, 'invalid_input', 'count'],
    ['too large', { ...valid, count: 7 }, 'max_value', 'count'],
    ['too small', { ...valid, count: '-1' }, 'min_value', 'count'],
    ['text for an object', { ...valid, destination: 'x' }, 'invalid_input', 'destination__non_field_errors'],
    ['nested missing', { ...valid, destination: {} }, 'required', 'destination__type'],
    ['nested second', { ...valid, destination: { type: 'a' } }, 'required', 'destination__config'],
    ['nested blank', { ...valid, destination: { type: '', config: {} } }, 'blank', 'destination__type'],
    ['not a dict', { ...valid, destination: { type: 'a', config: [] } }, 'not_a_dict', 'destination__config'],
    [
      'NUL inside free JSON',
      { ...valid, destination: { type: 'a', config: { a: ['\0'] } } },
      'null_characters_not_allowed',
      'destination',
    ],
    [
      'no reference',
      { ...valid, destination: { type: 'a', config: {}, integration: 'x' } },
      'incorrect_type',
      'destination__integration',
    ],
    ['not a list', { ...valid, filters: {} }, 'not_a_list', 'filters'],
    ['an item of a list', { ...valid, filters: [{ key: 'k' }, {}] }, 'required', 'filters__1__key'],
    ['not a date', { ...valid, start_at: 'tomorrow' }, 'invalid_input', 'start_at'],
    ['no such day', { ...valid, start_at: '2026-02-30' }, 'invalid_input', 'start_at'],
    [
      'a tower of brackets',
      { ...valid, destination: { type: 'a', config: { deep } } },
      'invalid_input',
      'destination',
    ],
    ['not an object at all', [], 'invalid_input', null],
    ['the first of several', { name: 'n', count: 9, start_at: 'x' }, 'max_value', 'count'],
  ])('%s', async (_what, body, code, attr) => {
    const reply = await api.call('POST', things, { json: body });
    expect(reply).toMatchObject({ status: 400, body: { type: 'validation_error', code, attr } });
  });

  it('converts as the original does', async () => {
    const reply = await api.call('POST', things, {
      json: { name: ' 5 ', paused: '1', count: '5.0', start_at: '2026-01-01 10:00', filters: null, extra: 1 },
    });
    expect(reply.body.body).toEqual({
      name: '5',
      model: 'events',
      paused: true,
      count: 5,
      filters: null,
      start_at: '2026-01-01T10:00:00Z',
    });
  });

  it('reads repeated query parameters and names the bad one', async () => {
    expect((await api.call('GET', `${things}?status=a&status=b`)).body.query).toEqual({ status: ['a', 'b'] });
    expect((await api.call('GET', `${things}?status=a`)).body.query).toEqual({ status: ['a'] });
    expect((await api.call('GET', `${things}?status=`)).body.query).toEqual({});
    expect((await api.call('GET', `${things}?status=a&status=x`)).body).toMatchObject({
      code: 'invalid_choice',
      attr: 'status__1',
    });
  });
});

describe('raw endpoints', () => {
  it.each(['application/json', 'text/plain', 'application/octet-stream'])(
    'get %s untouched',
    async (type) => {
      const reply = await api.call('POST', '/raw', {
        key: null,
        body: '{broken',
        headers: { 'content-type': type },
      });
      expect(reply).toMatchObject({ status: 200, body: { bytes: 7, first: 123 } });
    },
  );

  it('let any web page call them, errors included', async () => {
    const origin = { origin: 'https://shop.example' };
    const preflight = await api.call('OPTIONS', '/raw', {
      key: null,
      headers: { ...origin, 'access-control-request-headers': 'content-type,x-b3' },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-origin')).toBe('https://shop.example');
    expect(preflight.headers.get('access-control-allow-headers')).toBe('content-type,x-b3');
    const refused = await api.call('POST', '/raw', { key: null, body: 'x'.repeat(200), headers: origin });
    expect(refused.status).toBe(413);
    expect(refused.headers.get('access-control-allow-origin')).toBe('https://shop.example');
    const closed = await api.call('GET', things, { headers: origin });
    expect(closed.headers.has('access-control-allow-origin')).toBe(false);
  });
});

describe('large bodies', () => {
  const sized = (bytes: number, fields: Record<string, string> = {}) => {
    const body = { name: 'ada', ...fields, pad: '' };
    return JSON.stringify({ ...body, pad: 'x'.repeat(bytes - JSON.stringify(body).length) });
  };
  const send = (body: string, key: string | null, path = things) =>
    api.call('POST', path, { key, body, headers: { 'content-type': 'application/json' } });

  it('are for who shows a key in the header', async () => {
    expect((await send(sized(2_000_000), MASTER_KEY)).status).toBe(201);
    const inBody = { personal_api_key: MASTER_KEY };
    expect((await send(sized(256_000, inBody), null)).status).toBe(201);
    const refused = { status: 413, body: { code: 'request_too_large', attr: null } };
    expect(await send(sized(256_001, inBody), null)).toMatchObject(refused);
    expect(await send(sized(256_001), null, `${things}?personal_api_key=${MASTER_KEY}`)).toMatchObject(
      refused,
    );
    expect(await send(sized(256_001), null)).toMatchObject(refused);
    expect((await send(sized(256_000), null)).status).toBe(401);
  });

  it.each([
    ['says that it will send', 'content-length: 1000000', ''],
    [
      'sends and sends',
      'transfer-encoding: chunked',
      `${(300_000).toString(16)}\r\n${'x'.repeat(300_000)}\r\n`,
    ],
  ])('are refused before they are there, to who %s them without a key', async (_how, header, begun) => {
    const { hostname, port } = new URL(api.url);
    const socket = connect(Number(port), hostname);
    const type = 'content-type: application/json';
    socket.write(`POST ${things} HTTP/1.1\r\nhost: x\r\n${type}\r\n${header}\r\n\r\n${begun}`);
    const [answer] = await once(socket, 'data');
    socket.destroy();
    expect(String(answer)).toMatch(/^HTTP\/1.1 413 [\s\S]*request_too_large/);
  });

  it('are not for who logs in', async () => {
    const login = (bytes: number) =>
      send(sized(bytes, { email: 'ada@acme.test', password: 'wrong' }), null, '/api/login/');
    expect(await login(16_384)).toMatchObject({ status: 400, body: { code: 'invalid_credentials' } });
    expect(await login(16_385)).toMatchObject({ status: 413, body: { code: 'request_too_large' } });
  });
});

it('no key of this file ever reached the log', () => {
  expect(api.logged()).toContain(things);
  expect(api.logged()).not.toMatch(/phx_/);
  expect(api.logged()).not.toContain(MASTER_KEY);
});

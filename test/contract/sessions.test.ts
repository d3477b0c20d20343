import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createAccounts } from '../../src/accounts/accounts.ts';
import { type Api, addStranger, MASTER_KEY, type Reply, seededBytes, startApi } from './start-api.ts';

/** contract.md §1.3: sessions of browsers, and the token that keeps foreign pages from using them. */

const EMAIL = 'admin@sluice.local';
const PASSWORD = ' pass word ü ';

let api: Api;
let sessionId: string;
let csrf: string;

beforeAll(async () => {
  api = await startApi();
  const proof = null;
  await api.accounts.setPassword({ userId: api.userId, password: PASSWORD, proof, keep: null });
});
afterAll(() => api.close());

interface Attempt {
  readonly email?: unknown;
  readonly password?: unknown;
  readonly headers?: Record<string, string>;
}

const login = ({ headers = {}, ...given }: Attempt = {}) =>
  api.call('POST', '/api/login/', {
    key: null,
    json: { email: EMAIL, password: PASSWORD, ...given },
    headers,
  });

/** Name → value and attributes of each cookie that an answer sets. */
function cookiesOf(reply: Reply): Record<string, { value: string; attributes: string[] }> {
  return Object.fromEntries(
    reply.headers.getSetCookie().map((line) => {
      const [pair = '', ...attributes] = line.split('; ');
      const [name = '', value = ''] = pair.split('=');
      return [name, { value, attributes }];
    }),
  );
}

interface Asked {
  readonly token?: string | null;
  readonly cookie?: string | null;
  readonly key?: string;
  readonly headers?: Record<string, string>;
  readonly json?: unknown;
}

/** With the session of this file; `token` is the header, `cookie` its twin. */
const ask = (method: string, path: string, asked: Asked = {}) => {
  const { token = csrf, cookie = csrf, key = null, headers = {} } = asked;
  return api.call(method, path, {
    key,
    ...(asked.json === undefined ? {} : { json: asked.json }),
    headers: {
      cookie: [`sessionid=${sessionId}`, ...(cookie === null ? [] : [`posthog_csrftoken=${cookie}`])].join(
        '; ',
      ),
      ...(token === null ? {} : { 'x-csrftoken': token }),
      ...headers,
    },
  });
};

async function enter(): Promise<void> {
  const reply = await login();
  expect(reply).toMatchObject({ status: 200, body: { success: true } });
  const cookies = cookiesOf(reply);
  sessionId = cookies.sessionid?.value ?? '';
  csrf = cookies.posthog_csrftoken?.value ?? '';
}

const sessions = () => api.database.kysely.selectFrom('sessions').selectAll().execute();
const activities = async () =>
  (
    await api.database.kysely
      .selectFrom('activity_log')
      .select('activity')
      .where('scope', '=', 'User')
      .orderBy('id')
      .execute()
  ).map((row) => row.activity);

describe('logging in', () => {
  it('sets two cookies, of which scripts can read the CSRF token only', async () => {
    const reply = await login({ email: ' Admin@Sluice.LOCAL ' });
    const cookies = cookiesOf(reply);
    expect(cookies.sessionid?.value).toMatch(/^[\w-]{43}$/);
    expect(cookies.sessionid?.attributes).toEqual(['Path=/', 'Max-Age=1209600', 'SameSite=Lax', 'HttpOnly']);
    expect(cookies.posthog_csrftoken?.attributes).toEqual(['Path=/', 'Max-Age=1209600', 'SameSite=Lax']);
    expect(reply.headers.get('cache-control')).toBe('no-store');
    const secure = cookiesOf(await login({ headers: { 'x-forwarded-proto': 'https' } }));
    expect(secure.sessionid?.attributes).toContain('Secure');
    expect(secure.posthog_csrftoken?.attributes).toContain('Secure');
  });

  it.each([
    ['a wrong password', { password: 'pass word ü' }, 400, 'invalid_credentials', null],
    ['an unknown address', { email: 'nobody@example.test' }, 400, 'invalid_credentials', null],
    ['no password', { password: undefined }, 400, 'required', 'password'],
    ['no address', { email: '' }, 400, 'blank', 'email'],
  ])('%s is refused', async (_what, given, status, code, attr) => {
    const reply = await login(given);
    expect(reply).toMatchObject({ status, body: { type: 'validation_error', code, attr } });
    expect(reply.headers.getSetCookie()).toEqual([]);
  });

  it('a person without a password, or an inactive one, cannot', async () => {
    const organizationId = api.organizationId;
    const email = 'ada@example.test';
    const userId = await api.accounts.createPerson({ email, organizationId, level: 'member' });
    expect((await login({ email })).body.code).toBe('invalid_credentials');
    await api.accounts.setPassword({ userId, password: PASSWORD, proof: null, keep: null });
    expect((await login({ email })).status).toBe(200);
    const users = api.database.kysely.updateTable('users').where('id', '=', userId);
    await users.set({ is_active: false }).execute();
    expect((await login({ email })).body.code).toBe('invalid_credentials');
  });

  it('a page of another site cannot log a browser in', async () => {
    const reply = await login({ headers: { 'sec-fetch-site': 'cross-site' } });
    expect(reply).toMatchObject({ status: 403, body: { code: 'permission_denied' } });
  });

  it.each([
    ['of another host', 'http://evil.example', 403],
    ['of another port', 'http://127.0.0.1:1', 403],
    ['of none (a sandboxed frame)', 'null', 403],
    ['of a file', 'file://', 403],
    ['that is none', '//', 403],
    ['of this server', () => api.url, 200],
    ['of this server, with HTTPS before it', () => api.url.replace('http:', 'https:'), 200],
  ])('over plain HTTP, where browsers tell only that, a page %s', async (_what, from, status) => {
    const origin = typeof from === 'string' ? from : from();
    const reply = await login({ headers: { origin } });
    expect(reply.status).toBe(status);
    if (status === 403) expect(reply.body.code).toBe('permission_denied');
    expect((await login({ headers: { origin, 'sec-fetch-site': 'same-origin' } })).status).toBe(200);
  });

  it('guessing is throttled, for one address and one e-mail; success starts anew', async () => {
    const email = 'guessed@example.test';
    const organizationId = api.organizationId;
    const userId = await api.accounts.createPerson({ email, organizationId, level: 'member' });
    await api.accounts.setPassword({ userId, password: PASSWORD, proof: null, keep: null });
    const guess = () => login({ email, password: 'wrong' });
    for (let i = 0; i < 4; i++) expect((await guess()).status).toBe(400);
    expect((await login({ email })).status).toBe(200);
    const statuses = (await Promise.all(Array.from({ length: 8 }, guess))).map((reply) => reply.status);
    expect(statuses.toSorted()).toEqual([400, 400, 400, 400, 400, 429, 429, 429]);
    const late = await login({ email });
    expect(late).toMatchObject({ status: 429, body: { type: 'throttled_error', code: 'throttled' } });
    expect(Number(late.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await login()).status).toBe(200);
  });

  it('neither password nor token is stored or logged', async () => {
    await enter();
    const users = await api.database.kysely.selectFrom('users').selectAll().execute();
    expect(users[0]?.password_hash).toMatch(/^scrypt\$1024\$8\$1\$[\w-]{22}\$[\w-]{43}$/);
    for (const seen of [JSON.stringify([users, await sessions()]), api.logged()]) {
      expect(seen).not.toContain(PASSWORD.trim());
      expect(seen).not.toContain(sessionId);
    }
  });
});

describe('with a session', () => {
  beforeEach(async () => {
    if ((await ask('GET', '/api/users/@me/')).status !== 200) await enter();
  });

  it('a person may do all that they may', async () => {
    expect((await ask('GET', '/api/users/@me/', { token: null })).body.email).toBe(EMAIL);
    expect((await ask('GET', '/api/projects/@current/', { token: null })).body.id).toBe(api.projectId);
    const made = await ask('POST', '/api/personal_api_keys/', { json: { label: 'web', scopes: ['*'] } });
    expect(made.status).toBe(201);
    const stranger = await addStranger(api);
    expect((await ask('GET', `/api/projects/${stranger.projectId}/`)).body.code).toBe('permission_denied');
  });

  it.each<[string, Asked]>([
    ['no header', { token: null }],
    ['no cookie', { cookie: null }],
    ['another token', { token: 'x'.repeat(43) }],
    ['empty ones', { token: '', cookie: '' }],
    ['a page of another site', { headers: { 'sec-fetch-site': 'cross-site' } }],
    ['a page of a sister site', { headers: { 'sec-fetch-site': 'same-site' } }],
  ])('unsafe methods need the CSRF token: %s', async (_what, asked) => {
    const before = (await api.accounts.listKeys(null)).length;
    const json = { label: 'forged', scopes: ['*'] };
    expect(await ask('POST', '/api/personal_api_keys/', { json, ...asked })).toMatchObject({
      status: 403,
      body: { type: 'authentication_error', code: 'permission_denied', attr: null },
    });
    expect((await ask('DELETE', '/api/users/@me/', asked)).status).toBe(403);
    expect((await api.accounts.listKeys(null)).length).toBe(before);
  });

  it('wrong methods are told so', async () => {
    expect((await ask('DELETE', '/api/users/@me/')).status).toBe(405);
  });

  it('a key in the request comes first, even a bad one', async () => {
    const narrow = await api.key(['batch_export:read']);
    const scopes = async (asked: Asked, query = '') =>
      (await ask('GET', `/api/personal_api_keys/@current${query}`, asked)).body.scopes;
    expect(await scopes({})).toEqual(['*']);
    expect(await scopes({ key: narrow })).toEqual(['batch_export:read']);
    expect(await scopes({}, `?personal_api_key=${narrow}`)).toEqual(['batch_export:read']);
    expect((await ask('GET', '/api/users/@me/', { key: 'phx_nope' })).body.code).toBe(
      'authentication_failed',
    );
    const inBody = { personal_api_key: narrow, label: 'x', scopes: ['*'] };
    // No CSRF token: what a foreign page cannot know is in the body.
    const reply = await ask('POST', '/api/personal_api_keys/', { json: inBody, token: null, cookie: null });
    expect(reply.body.detail).toContain('scope');
  });

  it('a lost CSRF cookie is set again', async () => {
    const cookies = cookiesOf(await ask('GET', '/api/users/@me/', { cookie: null }));
    expect(cookies.posthog_csrftoken?.value).toBe(csrf);
    expect((await ask('GET', '/api/users/@me/')).headers.getSetCookie()).toEqual([]);
  });

  it.each([
    ['an unknown session', { cookie: `sessionid=${'x'.repeat(43)}` }],
    ['an empty one', { cookie: 'sessionid=' }],
    ['none', {}],
  ])('%s is no credential', async (_what, headers) => {
    const reply = await api.call('GET', '/api/users/@me/', { key: null, headers });
    expect(reply).toMatchObject({ status: 401, body: { code: 'not_authenticated' } });
  });

  it('logging out ends it; a key has nothing to log out of', async () => {
    const count = (await sessions()).length;
    expect((await ask('POST', '/api/logout/', { token: null })).status).toBe(403);
    const reply = await ask('POST', '/api/logout/');
    expect(reply).toMatchObject({ status: 204, text: '' });
    for (const { value, attributes } of Object.values(cookiesOf(reply))) {
      expect(value).toBe('');
      expect(attributes).toContain('Max-Age=0');
    }
    expect(await sessions()).toHaveLength(count - 1);
    expect((await ask('GET', '/api/users/@me/')).status).toBe(401);
    expect((await api.call('POST', '/api/logout/')).body.code).toBe('permission_denied');
    expect((await activities()).slice(-1)).toEqual(['logged_out']);
  });
});

describe('its life', () => {
  const DAY = 86_400_000;

  it('14 days from the last use; its end moves once an hour at most', async () => {
    let now = Date.now();
    const clock = { now: () => now };
    const accounts = createAccounts({
      db: api.database.kysely,
      clock,
      random: seededBytes('life'),
      passwordCost: { N: 1024, r: 8, p: 1 },
    });
    const token = await accounts.login({ email: EMAIL, password: PASSWORD, ip: '::1' });
    now += 3_599_999;
    expect(await accounts.authenticateSession(token)).toMatchObject({ prolonged: false });
    now += 13 * DAY;
    expect(await accounts.authenticateSession(token)).toMatchObject({ prolonged: true });
    now += 14 * DAY - 1;
    expect(await accounts.authenticateSession(token)).toMatchObject({
      caller: { sessionId: expect.any(String) },
    });
    now += 14 * DAY;
    expect(await accounts.authenticateSession(token)).toBeNull();
    await accounts.login({ email: EMAIL, password: PASSWORD, ip: '::1' });
    expect((await sessions()).every((row) => row.expires_at.getTime() > now)).toBe(true);
  });

  it('prolonged, the cookies follow', async () => {
    await enter();
    const soon = new Date(Date.now() + DAY);
    await api.database.kysely.updateTable('sessions').set({ expires_at: soon }).execute();
    const cookies = cookiesOf(await ask('GET', '/api/users/@me/'));
    expect(cookies.sessionid).toMatchObject({ value: sessionId });
    expect(cookies.posthog_csrftoken).toMatchObject({ value: csrf });
  });

  it('ends when its person becomes inactive', async () => {
    await enter();
    const users = api.database.kysely.updateTable('users').where('id', '=', api.userId);
    await users.set({ is_active: false }).execute();
    expect((await ask('GET', '/api/users/@me/')).status).toBe(401);
    await users.set({ is_active: true }).execute();
    expect((await ask('GET', '/api/users/@me/')).status).toBe(200);
  });
});

describe('PATCH /api/users/@me/ sets the password', () => {
  const change = (json: object, key?: string) =>
    key === undefined
      ? ask('PATCH', '/api/users/@me/', { json })
      : api.call('PATCH', '/api/users/@me/', { json, key });

  it('the first one with a key of all scopes and no limits', async () => {
    const stranger = await addStranger(api);
    const limited = await api.key(['*'], { projects: [api.projectId] });
    expect((await change({ password: 'long enough' }, limited)).body.code).toBe('permission_denied');
    const narrow = await api.key(['user:write']);
    expect((await change({ password: 'long enough' }, narrow)).body.code).toBe('permission_denied');
    expect((await change({ password: 'short' }, stranger.key)).body).toMatchObject({
      code: 'invalid_input',
      attr: 'password',
    });
    const done = await change({ password: 'long enough' }, stranger.key);
    expect(done.status).toBe(200);
    expect((await login({ email: done.body.email, password: 'long enough' })).status).toBe(200);
  });

  it('a further one with the one there is; other sessions end, this one goes on', async () => {
    await enter();
    const other = sessionId;
    await enter();
    const next = 'another pass word';
    expect((await change({ password: next })).body).toMatchObject({
      code: 'required',
      attr: 'current_password',
    });
    expect((await change({ password: next }, MASTER_KEY)).body.attr).toBe('current_password');
    const wrong = await change({ password: next, current_password: 'wrong' });
    expect(wrong.body).toMatchObject({ code: 'invalid_input', attr: 'current_password' });
    expect((await change({ password: next, current_password: PASSWORD })).status).toBe(200);
    expect((await ask('GET', '/api/users/@me/')).status).toBe(200);
    sessionId = other;
    expect((await ask('GET', '/api/users/@me/')).status).toBe(401);
    expect((await login()).body.code).toBe('invalid_credentials');
    expect((await login({ password: next })).status).toBe(200);
    expect(await activities()).toContain('password_changed');
  });
});

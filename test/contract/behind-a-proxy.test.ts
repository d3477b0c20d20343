import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Api, startApi } from './start-api.ts';

/** A server that believes the proxy before it, which speaks HTTPS with the browser. */
let api: Api;
beforeAll(async () => {
  api = await startApi(() => [], { trustProxy: 1 });
  await api.accounts.createOrganization({ name: 'Second', userId: api.userId });
});
afterAll(() => api.close());

const forwarded = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'sluice.example:8443' };
const next = async (headers: Record<string, string>) =>
  (await api.call('GET', '/api/organizations/?limit=1', { headers })).body.next;

it('links lead to where the browser came from', async () => {
  expect(await next(forwarded)).toBe('https://sluice.example:8443/api/organizations/?limit=1&offset=1');
  expect(await next({})).toBe(`${api.url}/api/organizations/?limit=1&offset=1`);
});

it.each(['javascript', 'https://evil.example/?', ''])('a protocol of %j is none', async (protocol) => {
  expect(await next({ ...forwarded, 'x-forwarded-proto': protocol })).toBe(
    'http://sluice.example:8443/api/organizations/?limit=1&offset=1',
  );
});

it('attempts to log in are counted for the network of the browser', async () => {
  const attempt = async (from: string) => {
    const json = { email: 'ada@acme.test', password: 'wrong' };
    return (await api.call('POST', '/api/login/', { key: null, json, headers: { 'x-forwarded-for': from } }))
      .status;
  };
  for (let n = 1; n <= 5; n++) expect(await attempt(`2001:db8:0:1::${n}`)).toBe(400);
  expect(await attempt('2001:db8:0:1:ffff::1')).toBe(429);
  expect(await attempt('2001:db8:0:2::1')).toBe(400);
});

it('a page of the host that the browser asked may log in, one of the name behind the proxy may not', async () => {
  const attempt = async (origin: string) => {
    const json = { email: 'ada@acme.test', password: 'wrong' };
    const headers = { ...forwarded, origin, 'x-forwarded-for': '192.0.2.1' };
    return (await api.call('POST', '/api/login/', { key: null, json, headers })).status;
  };
  expect(await attempt('https://sluice.example:8443')).toBe(400);
  expect(await attempt(api.url)).toBe(403);
  expect(await attempt('https://sluice.example')).toBe(403);
});

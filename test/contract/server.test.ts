import { connect } from 'node:net';
import { Registry } from 'prom-client';
import { Type } from 'typebox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endpoint } from '../../src/http/endpoint.ts';
import { type Api, MASTER_KEY, startApi } from './start-api.ts';

/** What the server does around its endpoints: health, figures, descriptions, broken requests, limits. */

let api: Api;
let ready = true;
const metrics = new Registry();
let aborted: Promise<unknown>;

beforeAll(async () => {
  let tellAborted: (reason: unknown) => void;
  aborted = new Promise((resolve) => {
    tellAborted = resolve;
  });
  const slow = endpoint({
    method: 'GET',
    area: 'root',
    path: '/slow',
    operationId: 'slow',
    summary: 'Answers when its client has gone.',
    tag: 'test',
    scope: 'public',
    response: { 200: Type.Unknown() },
    handler: ({ signal }) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          tellAborted(signal.reason);
          resolve({ status: 200 });
        });
      }),
  });
  api = await startApi(() => [slow], {
    metrics,
    readiness: async () => ({ database: true, warehouse: ready }),
    docsPage: true,
    timeouts: { headers: 300, request: 600, checkEvery: 50 },
  });
});
afterAll(() => api.close());

/** Sends bytes as they are and returns all that comes back until the server hangs up. */
function talk(...chunks: string[]): Promise<string> {
  const { hostname, port } = new URL(api.url);
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(Number(port), hostname, () => {
      for (const chunk of chunks) socket.write(chunk);
    });
    socket.on('data', (data) => {
      answer += data.toString();
    });
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
  });
}

describe('health and figures', () => {
  it.each(['/livez', '/livez/', '/readyz'])('%s needs no key', async (path) => {
    expect(await api.call('GET', path, { key: null })).toMatchObject({ status: 200, body: { status: 'ok' } });
  });

  it('/readyz names what is missing', async () => {
    ready = false;
    const reply = await api.call('GET', '/readyz', { key: null });
    ready = true;
    expect(reply).toMatchObject({ status: 503, body: { type: 'server_error', code: 'unavailable' } });
    expect(reply.body.detail).toContain('warehouse');
    expect(reply.headers.get('retry-after')).toBe('1');
  });

  it('/metrics counts by operation and class, with labels that cannot grow', async () => {
    await api.call('GET', '/api/users/@me/');
    for (let i = 0; i < 5; i++) await api.call('GET', `/nowhere/${i}`);
    const { text, headers } = await api.call('GET', '/metrics', { key: null });
    expect(headers.get('content-type')).toContain('text/plain');
    expect(text).toMatch(/duration_seconds_count\{operation="users_me_retrieve",status="2xx"\} 1\n/);
    expect(text).toMatch(/duration_seconds_count\{operation="unknown",status="4xx"\} 5\n/);
    expect(text).not.toContain('nowhere');
  });
});

describe('the API description', () => {
  it('is YAML by default, as client generators download it', async () => {
    const { text, headers } = await api.call('GET', '/api/schema/', {
      key: null,
      headers: { accept: '*/*' },
    });
    expect(headers.get('content-type')).toContain('yaml');
    expect(text).toMatch(/^openapi: 3\.1\.0\n/);
  });

  it.each([
    ['/api/schema/?format=json', '*/*'],
    ['/api/schema/', 'application/json'],
  ])('is JSON at %s for %s', async (path, accept) => {
    const { body } = await api.call('GET', path, { key: null, headers: { accept } });
    expect(body.openapi).toBe('3.1.0');
  });

  it('names every operation once, both variants of a project’s, with errors and security', async () => {
    const { body } = await api.call('GET', '/api/schema/?format=json');
    const operations: { operationId: string; responses: Record<string, unknown>; security: unknown }[] =
      Object.values(body.paths as Record<string, object>).flatMap((path) => Object.values(path));
    const ids = operations.map((operation) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toContain('projects_retrieve');
    expect(ids).toContain('environments_projects_retrieve');
    expect(Object.keys(body.paths)).toContain('/api/projects/{project_id}/');
    for (const operation of operations) {
      expect(operation.responses).toHaveProperty('4XX');
      expect(operation).toHaveProperty('security');
    }
    expect(body.components.schemas.ErrorEnvelope.properties).toHaveProperty('attr');
  });

  it('has a page for people, with nothing from elsewhere', async () => {
    const page = await fetch(`${api.url}/api/docs/`);
    const html = await page.text();
    expect(page.status).toBe(200);
    expect(page.headers.get('content-security-policy')).toContain("connect-src 'self'");
    const sources = [...html.matchAll(/\b(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? '');
    expect(sources.length).toBeGreaterThan(0);
    for (const source of sources) {
      const url = new URL(source, `${api.url}/api/docs/`);
      expect(url.origin).toBe(api.url);
      expect((await fetch(url)).status).toBe(200);
    }
  });
});

describe('what is no request', () => {
  const envelope = (answer: string) => JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4));

  it.each([
    ['not HTTP at all', 'hello\r\n\r\n', 400, 'parse_error'],
    ['an unknown method', 'BREW / HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'parse_error'],
    [
      'two lengths',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx',
      400,
      'parse_error',
    ],
    [
      'headers without end',
      `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
      431,
      'request_headers_too_large',
    ],
    ['a slow sender of headers', 'GET / HTTP/1.1\r\nHost: a\r\n', 408, 'request_timeout'],
    [
      'a slow sender of a body',
      'POST /x HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
      408,
      'request_timeout',
    ],
  ])('%s is answered in the envelope and hung up on', async (_what, bytes, status, code) => {
    const answer = await talk(bytes);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(envelope(answer)).toMatchObject({ code, attr: null });
  });

  it.each([
    ['a method we have nowhere', 'PROPFIND /nowhere/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', 404],
    ['the same on a path we have', 'PROPFIND /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', 405],
    [
      'the same on a path that needs a key',
      'PROPFIND /api/users/@me/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
      401,
    ],
    ['no host', 'GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n', 200],
    [
      'an expectation we do not know',
      'GET /livez HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\nConnection: close\r\n\r\n',
      200,
    ],
    ['a URL of two slashes', 'GET //evil.example/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', 404],
    ['a whole URL', 'GET http://evil.example/livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', 200],
    [
      'an upgrade',
      'GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close, upgrade\r\nUpgrade: websocket\r\n\r\n',
      200,
    ],
  ])('%s still gets JSON', async (_what, bytes, status) => {
    const answer = await talk(bytes);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer.toLowerCase()).toContain('content-type: application/json');
  });

  it.each([
    ['GET /api/projects/1/', 'a b'],
    ['GET http://evil.example/api/organizations/?limit=1&offset=1', 'a:b'],
    ['GET http://evil.example/api/organizations/?limit=1&offset=1', ''],
    ['GET /api/organizations/?limit=1&offset=1', '[::1'],
  ])('%s with the host %j works', async (line, host) => {
    const key = `Authorization: Bearer ${MASTER_KEY}`;
    const answer = await talk(`${line} HTTP/1.1\r\nHost: ${host}\r\n${key}\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 200 /);
    expect(answer).not.toContain('evil');
  });
});

it('a client that goes away aborts the work for it', async () => {
  const controller = new AbortController();
  const gone = fetch(`${api.url}/slow`, { signal: controller.signal }).catch((error: Error) => error.name);
  const { hostname, port } = new URL(api.url);
  const socket = connect(Number(port), hostname, () => {
    socket.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n', () => socket.destroy());
  });
  controller.abort();
  expect(await gone).toBe('AbortError');
  expect(await aborted).toMatchObject({ code: 'unavailable' });
});

describe('§1.6 throttling', () => {
  it('is off by default, and tells the wait when on', async () => {
    const limited = await startApi(() => [], { rateLimitEnabled: true });
    try {
      const statuses: number[] = [];
      for (let i = 0; i < 12; i++) {
        const replies = await Promise.all(
          Array.from({ length: 40 }, () => limited.call('GET', '/api/personal_api_keys/@current')),
        );
        statuses.push(...replies.map((reply) => reply.status));
      }
      expect(new Set(statuses)).toEqual(new Set([200]));
      const refused = await limited.call('GET', '/api/personal_api_keys/@current');
      expect(refused).toMatchObject({
        status: 429,
        body: { type: 'throttled_error', code: 'throttled', attr: null },
      });
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      const other = await limited.key(['*']);
      expect((await limited.call('GET', '/api/personal_api_keys/@current', { key: other })).status).toBe(200);
    } finally {
      await limited.close();
    }
  });
});

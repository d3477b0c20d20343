import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Capture, KEY, startCapture, stored, TEAM } from './start-capture.ts';

let capture: Capture;
beforeAll(async () => {
  capture = await startCapture();
});
afterAll(() => capture.close());

const send = (path: string, body: string | Buffer, headers: Record<string, string> = {}) =>
  fetch(`${capture.url}${path}`, { method: 'POST', body, headers });

const json = { 'content-type': 'application/json' };
const text = { 'content-type': 'text/plain' };
const form = { 'content-type': 'application/x-www-form-urlencoded' };
const event = (name: string, more = {}) => ({ event: name, distinct_id: 'd', properties: { a: 1 }, ...more });
const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64');

describe('every way to send an event', () => {
  const cases: [string, (name: string) => Promise<Response>][] = [
    ['batch', (name) => send('/batch/', JSON.stringify({ api_key: KEY, batch: [event(name)] }), json)],
    [
      'batch-no-slash',
      (name) => send('/batch', JSON.stringify({ api_key: KEY, batch: [event(name)] }), json),
    ],
    [
      'batch-gzip',
      (name) =>
        send('/batch/', gzipSync(JSON.stringify({ api_key: KEY, batch: [event(name)] })), {
          ...json,
          'content-encoding': 'gzip',
        }),
    ],
    ['capture', (name) => send('/capture/', JSON.stringify(event(name, { api_key: KEY })), json)],
    [
      'i-v0-e',
      (name) => send('/i/v0/e/?ip=1', gzipSync(JSON.stringify({ api_key: KEY, batch: [event(name)] })), text),
    ],
    [
      'e-gzip-js',
      (name) =>
        send('/e/?compression=gzip-js', gzipSync(JSON.stringify([event(name, { token: KEY })])), text),
    ],
    [
      'e-base64',
      (name) =>
        send(
          '/e/?compression=base64',
          `data=${encodeURIComponent(base64(event(name, { token: KEY })))}`,
          form,
        ),
    ],
    ['e-key-in-query', (name) => send(`/e/?api_key=${KEY}`, JSON.stringify([event(name)]), text)],
    [
      'track',
      (name) =>
        send(
          '/track/',
          `data=${encodeURIComponent(base64({ event: name, properties: { token: KEY, distinct_id: 'd' } }))}`,
          form,
        ),
    ],
    [
      'get',
      (name) => fetch(`${capture.url}/e/?data=${encodeURIComponent(base64(event(name, { token: KEY })))}`),
    ],
  ];

  it.each(cases)('%s', async (name, request) => {
    const answer = await request(name);
    expect([answer.status, await answer.json()]).toEqual([200, { status: 'Ok' }]);
    expect(await stored(capture.warehouse, name)).toMatchObject([
      { distinct_id: 'd', team_id: String(TEAM) },
    ]);
  });

  it('/engage/ names the event itself', async () => {
    const body = { $token: KEY, $distinct_id: 'engaged', $set: { plan: 'plus' } };
    expect((await send('/engage/', `data=${encodeURIComponent(base64(body))}`, form)).status).toBe(200);
    const [row] = await stored(capture.warehouse, '$identify');
    expect(row).toMatchObject({
      distinct_id: 'engaged',
      properties: '{"$set":{"plan":"plus"},"$ip":"127.0.0.1"}',
    });
  });

  it.each([
    ['/i/v1/analytics/events', 'v1', '019af1f0-0000-7000-8000-000000000001'],
    ['/i/v1/ai/events', 'v1-ai', '019af1f0-0000-7000-8000-000000000002'],
  ])('%s answers for each event', async (path, name, uuid) => {
    const sent = { ...event(name, { uuid }), session_id: 's-1', options: { process_person_profile: false } };
    const answer = await send(path, JSON.stringify({ created_at: '2026-01-01', batch: [sent] }), {
      ...json,
      authorization: `Bearer ${KEY}`,
      'posthog-sdk-info': 'posthog-node/5.70.0',
    });
    expect(await answer.json()).toEqual({ results: { [uuid]: { result: 'ok' } } });
    const [row] = await stored(capture.warehouse, name);
    expect(row).toMatchObject({ uuid, person_mode: 'propertyless' });
    expect(JSON.parse(row?.properties ?? '')).toMatchObject({
      a: 1,
      $session_id: 's-1',
      $lib: 'posthog-node',
      $lib_version: '5.70.0',
    });
  });
});

it('stores every column as PostHog would', async () => {
  const uuid = '019af1f0-1111-7000-8000-00000000000f';
  const sent = event('whole', {
    uuid,
    distinct_id: 'user',
    timestamp: '2026-03-01T10:00:00.123456+01:00',
    properties: { $elements_chain: 'a:nth-child="1"', n: 1 },
  });
  await send(
    '/batch/',
    JSON.stringify({
      api_key: KEY,
      batch: [sent],
      historical_migration: true,
      sent_at: '2020-01-01T00:00:00Z',
    }),
    json,
  );
  const [row] = await stored(capture.warehouse, 'whole');
  expect(row).toMatchObject({
    uuid,
    distinct_id: 'user',
    timestamp: '2026-03-01 09:00:00.123456',
    elements_chain: 'a:nth-child="1"',
    properties: '{"n":1,"$ip":"127.0.0.1"}',
    person_properties: '{}',
    person_mode: 'full',
    // Python: uuid.uuid5(UUID('932979b4-65c3-4424-8467-0b66ec27bc22'), '7:user')
    person_id: 'e00762f9-83c0-531b-a7c2-088ade0adb50',
  });
  expect(Math.abs(Date.parse(`${row?.inserted_at.replace(' ', 'T')}Z`) - Date.now())).toBeLessThan(60_000);
});

async function envelopeOf(answer: Response) {
  return (await answer.json()) as Readonly<Record<'type' | 'code' | 'detail' | 'attr', string | null>>;
}

it('keeps no address when the sender asks for none', async () => {
  await send('/e/?ip=0', JSON.stringify(event('no-ip', { token: KEY })), text);
  expect(await stored(capture.warehouse, 'no-ip')).toMatchObject([{ properties: '{"a":1}' }]);
});

describe('what is refused', () => {
  const batch = (events: unknown[], key: string | null = KEY) =>
    JSON.stringify({ api_key: key, batch: events });
  const big = JSON.stringify(event('big', { api_key: KEY, properties: { x: 'x'.repeat(21e6) } }));
  const cases: [string, () => string | Buffer, Record<string, string>, number, string, string | null][] = [
    ['no key', () => batch([event('bad')], null), json, 401, 'not_authenticated', 'api_key'],
    ['a wrong key', () => batch([event('bad')], 'phc_other'), json, 401, 'authentication_failed', 'api_key'],
    ['nothing', () => '', json, 400, 'parse_error', null],
    ['no JSON', () => '{"batch":[', json, 400, 'parse_error', null],
    ['a broken gzip', () => gzipSync(batch([event('bad')])).subarray(0, 30), json, 400, 'parse_error', null],
    ['a text', () => '"7"', json, 400, 'incorrect_type', null],
    ['an empty batch', () => batch([]), json, 400, 'empty', 'batch'],
    ['no event', () => batch([event('bad'), { distinct_id: 'd' }]), json, 400, 'required', 'batch__1__event'],
    [
      'no distinct id',
      () => batch([event('bad'), { event: 'bad' }]),
      json,
      400,
      'required',
      'batch__1__distinct_id',
    ],
    [
      'properties that are a list',
      () => batch([event('bad'), event('bad', { properties: [] })]),
      json,
      400,
      'incorrect_type',
      'batch__1__properties',
    ],
    ['more than 20 MB', () => big, json, 413, 'request_too_large', null],
    [
      'more objects than events have',
      () => gzipSync(`{"api_key":"${KEY}","batch":[${'{},'.repeat(200_000)}{}]}`),
      json,
      413,
      'request_too_large',
      null,
    ],
    ['more than 20 MB once unpacked', () => gzipSync(big), json, 413, 'request_too_large', null],
  ];

  it.each(cases)('%s', async (_, body, headers, status, code, attr) => {
    const answer = await send('/batch/', body(), headers);
    const envelope = await envelopeOf(answer);
    expect([answer.status, envelope.code, envelope.attr]).toEqual([status, code, attr]);
    expect(Object.keys(envelope).sort()).toEqual(['attr', 'code', 'detail', 'type']);
  });

  it('stores nothing of a batch with one bad event', async () => {
    expect(await stored(capture.warehouse, 'bad')).toEqual([]);
    expect(await stored(capture.warehouse, 'big')).toEqual([]);
  });

  it('knows no other method', async () => {
    const answer = await fetch(`${capture.url}/batch/`, { method: 'PUT', body: '{}' });
    expect([answer.status, (await envelopeOf(answer)).code]).toEqual([405, 'method_not_allowed']);
  });
});

describe('browsers', () => {
  it('may send from any page', async () => {
    const origin = 'https://shop.example';
    const preflight = await fetch(`${capture.url}/e/?compression=gzip-js`, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type',
      },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-origin')).toBe(origin);
    expect(preflight.headers.get('access-control-allow-headers')).toBe('content-type');
    const refused = await send('/e/', '{', { origin });
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([400, origin]);
  });

  it.each([
    ['POST', '/flags/?v=2', { flags: {}, errorsWhileComputingFlags: false }],
    ['POST', '/decide/?v=3', { featureFlags: {}, supportedCompression: ['gzip', 'gzip-js'] }],
    ['POST', '/s/', { status: 'Ok' }],
    ['GET', `/array/${KEY}/config`, { token: KEY, hasFeatureFlags: false }],
    ['GET', `/api/surveys/?token=${KEY}`, { surveys: [] }],
  ])('%s %s starts the SDK', async (method, path, expected) => {
    const answer = await fetch(`${capture.url}${path}`, {
      method,
      ...(method === 'POST' ? { body: gzipSync('{}') } : {}),
    });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject(expected);
  });

  it('loads the configuration as a script', async () => {
    const answer = await fetch(`${capture.url}/array/${KEY}/config.js`);
    expect(answer.headers.get('content-type')).toMatch(/^application\/javascript/);
    const window: { _POSTHOG_REMOTE_CONFIG?: Record<string, { config: { token: string } }> } = {};
    new Function('window', await answer.text())(window);
    expect(window._POSTHOG_REMOTE_CONFIG?.[KEY]?.config.token).toBe(KEY);
  });
});

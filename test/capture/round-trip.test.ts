import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Capture, KEY, startCapture, stored } from './start-capture.ts';

let capture: Capture;
beforeAll(async () => {
  capture = await startCapture();
});
afterAll(() => capture.close());

async function post(batch: string): Promise<number> {
  const body = `{"api_key":"${KEY}","batch":[${batch}]}`;
  return (await fetch(`${capture.url}/batch/`, { method: 'POST', body })).status;
}

it('every JSON object comes back as it was sent', async () => {
  const plain = fc.dictionary(
    fc.string({ unit: 'binary' }).filter((key) => !key.startsWith('$')),
    fc.jsonValue({ noUnicodeString: false }),
  );
  const objects = fc.sample(plain, { numRuns: 2000, seed: 42 });
  const texts = objects.map((value, index) => JSON.stringify({ ...value, $ip: '', index }));
  const sent = texts.map((json) => `{"event":"any","distinct_id":"d","properties":${json}}`);
  expect(await post(sent.join(','))).toBe(200);
  const rows = await stored(capture.warehouse, 'any');
  const byIndex = new Map(rows.map(({ properties }) => [JSON.parse(properties).index, properties]));
  expect(texts.map((_, index) => byIndex.get(index))).toEqual(texts);
});

it.each([
  ['integers of 20 digits', '{"n":12345678901234567890,"m":-98765432109876543210}'],
  ['numbers no double holds', '{"n":1e999,"m":0.1000000000000000055511151231257827,"z":-0}'],
  ['duplicate keys', '{"a":1,"a":2}'],
  ['NUL and lone surrogates', '{"a":"\\u0000","b":"\\ud800","c":"\\udc00\\ud800"}'],
  ['every escape', '{"a":"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9"}'],
  ['deep nesting', `{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}`],
  ['a long text', JSON.stringify({ a: '🙂 größer '.repeat(200_000) })],
])('%s stay as they are', async (name, json) => {
  const withIp = json.replace(/\}$/, ',"$ip":""}');
  expect(await post(`{"event":${JSON.stringify(name)},"distinct_id":"d","properties":${withIp}}`)).toBe(200);
  const rows = await stored(capture.warehouse, name);
  expect(rows.map(({ properties }) => properties)).toEqual([withIp]);
});

it('what is nested too deeply for an element, or beside the properties, costs no event', async () => {
  const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
  const elements = `[{"tag_name":${deep},"attr__class":[${deep}],"attr__x":${deep}},{"tag_name":"a"}]`;
  const clicked = `{"event":"clicked","distinct_id":"d","properties":{"$elements":${elements}}}`;
  expect(await post(`${clicked},{"event":"clicked","distinct_id":"e"}`)).toBe(200);
  const rows = await stored(capture.warehouse, 'clicked');
  expect(rows.map(({ elements_chain }) => elements_chain).sort()).toEqual(['', expect.stringMatching(/;a:/)]);

  // No UUID, so that all of the event names it.
  const properties = `{"x":${deep}}`;
  const named = `{"event":"named","distinct_id":"d","uuid":"1","timestamp":[],"properties":${properties}}`;
  expect(await post(`${named},${named},${named.replace('"uuid":"1"', '"uuid":"2"')}`)).toBe(200);
  expect(new Set((await stored(capture.warehouse, 'named')).map((row) => row.uuid)).size).toBe(2);

  const uuid = '019af1f0-0000-7000-8000-000000000001';
  const beside = `"session_id":${deep},"window_id":12345678901234567890,"options":{"product_tour_id":${deep}}`;
  const response = await fetch(`${capture.url}/i/v1/analytics/events`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${KEY}`, 'Content-Type': 'application/json' },
    body: `{"batch":[{"uuid":"${uuid}","event":"deep v1","distinct_id":"d",${beside}}]}`,
  });
  expect(response.status).toBe(200);
  const [row] = await stored(capture.warehouse, 'deep v1');
  expect(row?.properties).toContain(`"$session_id":${deep}`);
  expect(row?.properties).toContain(`"$product_tour_id":${deep}`);
  expect(row?.properties).toContain('"$window_id":12345678901234567890');
});

it('names and ids come back whatever they hold', async () => {
  const strings = fc.sample(fc.string({ unit: 'binary', minLength: 1, maxLength: 150 }), {
    numRuns: 300,
    seed: 7,
  });
  const ids = [...new Set(strings.filter((text) => text.isWellFormed() && !text.includes('\0')))];
  const sent = ids.map((id) => JSON.stringify({ event: 'ids', distinct_id: id, properties: {} }));
  expect(await post(sent.join(','))).toBe(200);
  const rows = await stored(capture.warehouse, 'ids');
  expect(rows.map(({ distinct_id }) => distinct_id).sort()).toEqual(ids.sort());
});

it('takes events of 300 different months in one batch', async () => {
  const months = Array.from({ length: 300 }, (_, n) => new Date(Date.UTC(2000, n, 1)).toISOString());
  const sent = months.map((timestamp) => JSON.stringify({ event: 'months', distinct_id: 'd', timestamp }));
  expect(await post(sent.join(','))).toBe(200);
  expect(await stored(capture.warehouse, 'months')).toHaveLength(300);
});

it('makes few inserts of many requests that come at once, and keeps the watermark behind them', async () => {
  const requests = Array.from({ length: 400 }, (_, n) =>
    post(JSON.stringify({ event: 'load', distinct_id: `d${n}`, timestamp: '2026-03-01' })),
  );
  expect(new Set(await Promise.all(requests))).toEqual(new Set([200]));
  const rows = await stored(capture.warehouse, 'load');
  expect(new Set(rows.map(({ distinct_id }) => distinct_id)).size).toBe(400);
  expect(rows).toHaveLength(400);
  expect(new Set(rows.map(({ inserted_at }) => inserted_at)).size).toBeLessThan(60);
  expect(capture.batcher.oldestInFlight()).toBeNull();
});

import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import type { Deliveries } from '../../src/apps/delivery/deliveries.ts';
import { makeEvents } from '../faults/events.ts';
import { seeded } from '../faults/random.ts';
import { type Manner, type Receiver, startReceiver } from '../kit/receiver.ts';
import { type DeliveriesBench, openDeliveries } from './open-deliveries.ts';

const WEBHOOK = 1;
const HOUR = { start: new Date('2026-01-01T00:00:00Z'), end: new Date('2026-01-01T01:00:00Z') };
const random = seeded(43);

let bench: DeliveriesBench;
let here: Deliveries;
let receiver: Receiver;
let config = 0;
beforeAll(async () => {
  bench = await openDeliveries(60_000);
  here = bench.process('here');
  await here.start();
});
afterAll(async () => {
  await here?.stop(1_000);
  await bench?.close();
});
beforeEach(async () => {
  receiver = await startReceiver();
  bench.logged.length = 0;
});
afterEach(async () => {
  await bench.disable(config);
  await receiver.close();
});

it.each(['batch', 'single event'])(
  '%s: only events that were sent and refused are given up, however many they are',
  async (shape) => {
    await enable({ shape });
    const events = makeEvents(200, HOUR, 120, random);
    const uuids = inOrder(events);
    // Twelve in a row, with nothing taken before or between them, and three more.
    const bad = new Set([...uuids.slice(0, 12), ...uuids.slice(100, 103)]);
    receiver.behave((request) => ({ answer: request.uuids.some((uuid) => bad.has(uuid)) ? 400 : 200 }));
    await bench.capture(events);
    await until(() => expect(taken()).toEqual(uuids.filter((uuid) => !bad.has(uuid)).toSorted()));
    await until(async () => expect(await counted()).toEqual({ taken: 185, failures: 15 }));
    expect(refusalsLogged()).toBeGreaterThanOrEqual(10);
  },
);

it('of a receiver that refuses everything, the log and the metrics show some, and count all', async () => {
  await enable({ shape: 'single event' });
  receiver.behave({ answer: 422 });
  await bench.capture(makeEvents(105, HOUR, 120, random));
  await until(async () => expect(await counted()).toEqual({ taken: 0, failures: 105 }));
  expect(new Set(receiver.requests.map(({ key }) => key)).size).toBe(105);
  expect(refusalsLogged()).toBe(11);
});

it.each<[what: string, manner: Manner]>([
  ['a firewall', { answer: 403 }],
  ['a server that dies of it', { answer: 502 }],
  ['one that breaks off', 'reset'],
])('%s: a batch that cannot be taken as it is goes on in pieces', async (_, manner) => {
  await enable({});
  receiver.behave(({ uuids }) => (uuids.length > 40 ? manner : { answer: 200 }));
  const events = makeEvents(150, HOUR, 120, random);
  await bench.capture(events);
  await until(() => expect(taken()).toEqual(inOrder(events).toSorted()));
  await until(async () => expect(await counted()).toEqual({ taken: 150, failures: 0 }));
  expect(new Set(receiver.taken().map(({ key }) => key)).size).toBeGreaterThanOrEqual(4);
});

it('of a batch with one event that cannot be taken, those before it are, and the others wait in a few pieces', async () => {
  await enable({});
  const events = makeEvents(200, HOUR, 120, random);
  const uuids = inOrder(events);
  const bad = uuids[77] ?? '';
  receiver.behave((request) => ({ answer: request.uuids.includes(bad) ? 500 : 200 }));
  await bench.capture(events);
  await until(() => expect(taken()).toEqual(uuids.slice(0, 77).toSorted()));
  await until(() => expect(receiver.requests.at(-1)?.uuids).toEqual([bad]));
  const open = await bench.database.kysely.selectFrom('app_batches').select('events').execute();
  expect(open.reduce((sum, batch) => sum + batch.events, 0)).toBe(123);
  expect(open.length).toBeLessThanOrEqual(9);
  receiver.behave({ answer: 200 });
  await until(() => expect(taken()).toEqual(uuids.toSorted()));
});

it.each<[what: string, manner: Manner]>([
  ['503', { answer: 503 }],
  ['401', { answer: 401 }],
  ['Retry-After', { answer: 500, retryAfter: 0 }],
])('a receiver that says it is not about the batch gets the same batch: %s', async (_, manner) => {
  await enable({});
  receiver.behave(manner);
  await bench.capture(makeEvents(5, HOUR, 120, random));
  await until(() => expect(receiver.requests.length).toBeGreaterThan(8));
  receiver.behave({ answer: 200 });
  await until(() => expect(taken()).toHaveLength(5));
  expect(new Set(receiver.requests.map(({ key }) => key)).size).toBe(1);
});

it('a receiver that was away, comes back and then fails a few times gets the same batch', async () => {
  await enable({});
  receiver.behave({ answer: 503 });
  await bench.capture(makeEvents(5, HOUR, 120, random));
  await until(() => expect(receiver.requests.length).toBeGreaterThan(8));
  let failures = 5;
  receiver.behave(() => ({ answer: failures-- > 0 ? 500 : 200 }));
  await until(() => expect(taken()).toHaveLength(5));
  expect(new Set(receiver.requests.map(({ key }) => key)).size).toBe(1);
});

it.each([
  ['cut off', 'x'.repeat(190)],
  ['whole', 'invalid token'],
])('secrets that the receiver repeats are nowhere: %s', async (_, before) => {
  await enable({ authorization: 'Bearer hush-token-123456' });
  receiver.behave({ answer: 500, body: `${before} hush-token-123456, hush-token-123456` });
  await bench.capture(makeEvents(2, HOUR, 120, random));
  const failing = () =>
    bench.database.kysely
      .selectFrom('activity_log')
      .selectAll()
      .where('activity', '=', 'delivery_failing')
      .where('item_id', '=', String(config))
      .execute();
  await until(async () => expect(await failing()).toHaveLength(1));
  await counted();
  const places = [
    await failing(),
    bench.logged,
    await bench.database.kysely.selectFrom('app_deliveries').select('latest_error').execute(),
    await bench.warehouse.rows({ sql: 'SELECT error_details FROM app_metrics' }),
  ];
  expect(JSON.stringify(places)).toContain('The receiver answered 500');
  for (const place of places) expect(JSON.stringify(place)).not.toContain('hush');
});

const until = <T>(check: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(check, { timeout: 50_000, interval: 50 });
const inOrder = (events: ReturnType<typeof makeEvents>) =>
  events
    .toSorted((a, b) => a.timestamp.localeCompare(b.timestamp) || a.uuid.localeCompare(b.uuid))
    .map(({ uuid }) => uuid);
/** Each once: on a busy machine an answer may come too late to count. */
const taken = () => [...new Set(receiver.taken().flatMap(({ uuids }) => uuids))].toSorted();
const refusalsLogged = () =>
  bench.logged.filter((line) => JSON.parse(line).msg === 'events were refused by their receiver').length;

async function counted(): Promise<{ taken: number; failures: number }> {
  const sums = (await bench.metrics()).find(({ plugin_config_id }) => plugin_config_id === config);
  if (!sums) return { taken: 0, failures: 0 };
  return { taken: sums.successes + sums.successes_on_retry, failures: sums.failures };
}

async function enable(more: Readonly<Record<string, unknown>>): Promise<void> {
  config = await bench.enable(WEBHOOK, { url: receiver.url, ...more });
  await until(async () => {
    const row = bench.database.kysely.selectFrom('app_deliveries').select('owner');
    expect(await row.where('plugin_config_id', '=', config).executeTakeFirst()).toEqual({ owner: 'here' });
  });
}

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createBudget } from '../../src/apps/delivery/memory.ts';
import { makeEvents } from '../faults/events.ts';
import { seeded } from '../faults/random.ts';
import { type DeliveriesBench, openDeliveries } from './open-deliveries.ts';

const WEBHOOK = 1;
const HOUR = { start: new Date('2026-01-01T00:00:00Z'), end: new Date('2026-01-01T01:00:00Z') };
const random = seeded(59);

let bench: DeliveriesBench;
beforeAll(async () => {
  bench = await openDeliveries(60_000);
});
afterAll(() => bench?.close());

it('where memory is for one batch, apps take turns, and one that fails keeps no other waiting', async () => {
  let asked = 0;
  let most = 0;
  let now = 0;
  const uuids = new Map<string, Set<string>>();
  const receiver: Server = createServer(async (request, response) => {
    const path = request.url ?? '';
    if (path === '/fails') {
      // Says once that it fails, and nothing after that.
      if (asked++ === 0) response.writeHead(503).end();
      return;
    }
    most = Math.max(most, ++now);
    response.on('close', () => now--);
    const { events } = JSON.parse((await buffer(request)).toString()) as { events: { uuid: string }[] };
    await pause(30);
    const seen = uuids.get(path) ?? new Set();
    for (const { uuid } of events) seen.add(uuid);
    uuids.set(path, seen);
    response.end();
  }).listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  const memory = { healthy: createBudget(1), failing: createBudget(1) };
  const here = bench.process('here', { memory });
  await here.start();
  try {
    const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
    const owners = bench.database.kysely
      .selectFrom('app_deliveries')
      .select('owner')
      .where('owner', '=', 'here');
    const enable = async (paths: readonly string[], all: number) => {
      for (const path of paths) await bench.enable(WEBHOOK, { url: `${url}${path}` });
      await until(async () => expect(await owners.execute()).toHaveLength(all));
    };
    await enable(['/fails'], 1);
    await bench.capture(makeEvents(1, HOUR, 120, random));
    // It holds the memory of those that fail from here on.
    await until(() => expect(asked).toBe(2));
    await enable(['/a', '/b', '/c'], 4);
    for (let n = 0; n < 4; n++) await bench.capture(makeEvents(150, HOUR, 120, random));
    const wanted = ['/a', '/b', '/c'].map((path) => [path, 600]);
    await until(() => expect([...uuids].map(([path, { size }]) => [path, size]).toSorted()).toEqual(wanted));
    expect(most).toBe(1);
  } finally {
    await here.stop(1_000);
    receiver.close();
    receiver.closeAllConnections();
  }
});

const until = <T>(check: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(check, { timeout: 50_000, interval: 20 });

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { makeEvents } from '../faults/events.ts';
import { seeded } from '../faults/random.ts';
import { afterCommit } from './after-commit.ts';
import { type DeliveriesBench, openDeliveries } from './open-deliveries.ts';

const WEBHOOK = 1;
const HOUR = { start: new Date('2026-01-01T00:00:00Z'), end: new Date('2026-01-01T01:00:00Z') };
const random = seeded(23);

let bench: DeliveriesBench;
beforeAll(async () => {
  // The first answer is held for as long as the test wants.
  bench = await openDeliveries(60_000);
});
afterAll(() => bench?.close());

it('D4: a batch that ends while the next ones are being stored is neither sent nor counted again', async () => {
  const firstMayEnd = Promise.withResolvers<void>();
  const nextAreStored = Promise.withResolvers<void>();
  const mayGoOn = Promise.withResolvers<void>();
  const keys: string[] = [];
  const receiver = createServer(async (request, response) => {
    keys.push(String(request.headers['idempotency-key']));
    request.resume();
    if (keys.length === 1) await firstMayEnd.promise;
    response.end('ok');
  }).listen(0, '127.0.0.1');
  await once(receiver, 'listening');

  let plans = 0;
  const deliveries = bench.process('here', {
    db: afterCommit(bench.database.kysely, async (done) => {
      if (!done.has('insertInto') || ++plans !== 2) return;
      nextAreStored.resolve();
      await mayGoOn.promise;
    }),
  });
  await deliveries.start();
  try {
    const { port } = receiver.address() as AddressInfo;
    const config = await bench.enable(WEBHOOK, { url: `http://127.0.0.1:${port}` });
    await vi.waitFor(async () => expect(await owners()).toEqual(['here']), { timeout: 10_000 });
    await bench.capture(makeEvents(3, HOUR, 120, random));
    await vi.waitFor(() => expect(keys).toHaveLength(1), { timeout: 10_000 });
    await bench.capture(makeEvents(4, HOUR, 120, random));
    await nextAreStored.promise;
    expect(await stored()).toHaveLength(2);

    firstMayEnd.resolve();
    await vi.waitFor(async () => expect(await stored()).toHaveLength(1), { timeout: 10_000 });
    for (let turns = 0; turns < 10; turns++) await turn();
    mayGoOn.resolve();

    await vi.waitFor(async () => expect(await stored()).toHaveLength(0), { timeout: 10_000 });
    expect(keys).toHaveLength(2);
    expect(new Set(keys).size).toBe(2);
    await deliveries.stop(1_000);
    expect(await bench.metrics()).toMatchObject([{ plugin_config_id: config, successes: 7, failures: 0 }]);
    expect(bench.logged).toEqual([]);
  } finally {
    mayGoOn.resolve();
    await deliveries.stop(1_000);
    receiver.close();
  }
});

const stored = () => bench.database.kysely.selectFrom('app_batches').select('id').execute();

async function owners(): Promise<(string | null)[]> {
  const rows = await bench.database.kysely.selectFrom('app_deliveries').select('owner').execute();
  return rows.map(({ owner }) => owner);
}

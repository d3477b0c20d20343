import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { makeEvents } from '../faults/events.ts';
import { seeded } from '../faults/random.ts';
import { startReceiver } from '../kit/receiver.ts';
import { type DeliveriesBench, openDeliveries } from './open-deliveries.ts';

const WEBHOOK = 1;
const HOUR = { start: new Date('2026-01-01T00:00:00Z'), end: new Date('2026-01-01T01:00:00Z') };

let bench: DeliveriesBench;
beforeAll(async () => {
  // Also what it takes at once may be too slow then, on a busy machine: it goes on in more pieces.
  bench = await openDeliveries(1_000);
});
afterAll(() => bench?.close());

it('a batch that its receiver is too slow for goes on in pieces', async () => {
  const receiver = await startReceiver();
  receiver.behave(({ uuids }) => (uuids.length > 40 ? 'hang' : { answer: 200 }));
  const here = bench.process('here');
  await here.start();
  try {
    const config = await bench.enable(WEBHOOK, { url: receiver.url });
    const row = bench.database.kysely.selectFrom('app_deliveries').select('owner');
    await until(async () => expect(await row.executeTakeFirst()).toEqual({ owner: 'here' }));
    const events = makeEvents(150, HOUR, 120, seeded(61));
    await bench.capture(events);
    // Each once: an answer may come too late to count all the same.
    const taken = () => [...new Set(receiver.taken().flatMap(({ uuids }) => uuids))].toSorted();
    await until(() => expect(taken()).toEqual(events.map(({ uuid }) => uuid).toSorted()));
    await until(async () => {
      const sums = (await bench.metrics()).find(({ plugin_config_id }) => plugin_config_id === config);
      expect(sums).toMatchObject({ failures: 0, successes_on_retry: 150 });
    });
  } finally {
    await here.stop(1_000);
    await receiver.close();
  }
});

const until = <T>(check: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(check, { timeout: 50_000, interval: 50 });

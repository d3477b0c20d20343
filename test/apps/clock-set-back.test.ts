import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { makeEvents } from '../faults/events.ts';
import { seeded } from '../faults/random.ts';
import { startReceiver } from '../kit/receiver.ts';
import { SettableClock } from '../kit/settable-clock.ts';
import { type DeliveriesBench, openDeliveries } from './open-deliveries.ts';

const WEBHOOK = 1;
const DAY_MS = 86_400_000;
const HOUR = { start: new Date('2026-01-01T00:00:00Z'), end: new Date('2026-01-01T01:00:00Z') };
const random = seeded(47);

let bench: DeliveriesBench;
beforeAll(async () => {
  bench = await openDeliveries();
});
afterAll(() => bench?.close());

it('a clock that is set back by a day keeps no delivery waiting for that day', async () => {
  const receiver = await startReceiver();
  const clock = new SettableClock(new Date().toISOString());
  const here = bench.process('here', { clock });
  await here.start();
  try {
    const config = await bench.enable(WEBHOOK, { url: receiver.url });
    const row = () =>
      bench.database.kysely
        .selectFrom('app_deliveries')
        .select(['owner', 'failures', 'next_attempt_at'])
        .where('plugin_config_id', '=', config)
        .executeTakeFirst();
    await until(async () => expect(await row()).toMatchObject({ owner: 'here' }));

    receiver.behave({ answer: 429, retryAfter: 30 });
    const first = makeEvents(3, HOUR, 120, random);
    await bench.capture(first);
    await until(async () => expect(await row()).toMatchObject({ failures: 1 }));
    clock.advance(-DAY_MS);
    receiver.behave({ answer: 200 });
    // No more than the wait that was asked for.
    await until(() => {
      clock.advance(1_000);
      expect(receiver.taken()).toHaveLength(1);
    });

    const second = makeEvents(2, HOUR, 120, random);
    await bench.capture(second);
    await until(() => expect(receiver.taken().flatMap(({ uuids }) => uuids)).toHaveLength(5));
    await until(async () => expect(await row()).toMatchObject({ failures: 0, next_attempt_at: null }));
  } finally {
    await here.stop(1_000);
    await receiver.close();
  }
});

const until = <T>(check: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(check, { timeout: 20_000, interval: 20 });

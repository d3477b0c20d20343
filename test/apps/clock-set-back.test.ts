import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { makeEvents } from '../faults/events.ts';
import { seeded } from '../faults/random.ts';
import { startReceiver } from '../kit/receiver.ts';
import { startS3 } from '../kit/s3/server.ts';
import { SettableClock } from '../kit/settable-clock.ts';
import { type DeliveriesBench, openDeliveries } from './open-deliveries.ts';

const WEBHOOK = 1;
const ARCHIVE = 3;
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

it('after the clock was set back, events wait for company as long as before', async () => {
  const s3 = await startS3({ buckets: ['lake'] });
  // As the machine's, once it has been set back; events are stamped by that one.
  const clock = new SettableClock(new Date(Date.now() + DAY_MS).toISOString());
  let found = 0;
  const here = bench.process('here', {
    clock,
    warehouse: {
      rows: async (query) => {
        const rows = await bench.warehouse.rows(query);
        if (query.sql.includes('AS bytes')) found = Math.max(found, rows.length);
        return rows as never;
      },
    },
  });
  await here.start();
  try {
    const config = await bench.enable(ARCHIVE, {
      bucket_name: 'lake',
      region: s3.region,
      endpoint_url: s3.url,
      aws_access_key_id: s3.credentials.accessKeyId,
      aws_secret_access_key: s3.credentials.secretAccessKey,
    });
    const row = () =>
      bench.database.kysely
        .selectFrom('app_deliveries')
        .select('owner')
        .where('plugin_config_id', '=', config)
        .executeTakeFirst();
    await until(async () => expect(await row()).toEqual({ owner: 'here' }));
    clock.advance(-DAY_MS);
    for (const wanted of [1, 2]) {
      await bench.capture(makeEvents(1, HOUR, 120, random));
      clock.advance(10_000);
      await until(() => expect(found).toBe(wanted));
    }
    expect(s3.objects('lake')).toEqual([]);
    clock.advance(300_000);
    await until(() => expect(s3.objects('lake')).toHaveLength(1));
    const [key = ''] = s3.objects('lake');
    const lines = gunzipSync((await s3.content('lake', key)) ?? '').toString();
    expect(lines.trimEnd().split('\n')).toHaveLength(2);
  } finally {
    await here.stop(1_000);
    await s3.stop();
  }
});

const until = <T>(check: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(check, { timeout: 20_000, interval: 20 });

import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { SluiceError } from '../../src/errors/error.ts';
import type { Query, Warehouse } from '../../src/warehouse/warehouse.ts';
import { makeEvents } from '../faults/events.ts';
import { seeded } from '../faults/random.ts';
import { type Receiver, startReceiver } from '../kit/receiver.ts';
import { SettableClock } from '../kit/settable-clock.ts';
import { type DeliveriesBench, openDeliveries } from './open-deliveries.ts';

const WEBHOOK = 1;
const HOUR = { start: new Date('2026-01-01T00:00:00Z'), end: new Date('2026-01-01T01:00:00Z') };
const random = seeded(37);

const severalNodes = async () => false;

let bench: DeliveriesBench;
let receiver: Receiver;
beforeAll(async () => {
  bench = await openDeliveries(60_000);
});
afterAll(() => bench?.close());
beforeEach(async () => {
  receiver = await startReceiver();
  bench.logged.length = 0;
});
afterEach(() => receiver.close());

it('a warehouse that cannot be read is no failure of the receiver, nor an attempt', async () => {
  let away = 1;
  const here = bench.process('here', {
    warehouse: before((query) => {
      if (query.sql.includes('AS properties_') && away-- > 0) throw new SluiceError('warehouse_unavailable');
    }),
  });
  await here.start();
  const config = await enabled();
  const events = makeEvents(3, HOUR, 120, random);
  await bench.capture(events);
  await until(async () => {
    const [sums] = (await bench.metrics()).filter(({ plugin_config_id }) => plugin_config_id === config);
    expect(sums).toMatchObject({ successes: 3, successes_on_retry: 0, failures: 0, errors: [] });
  });
  await bench.disable(config);
  await here.stop(1_000);
  expect(bench.logged.map((line) => JSON.parse(line).err.code)).toEqual(['warehouse_unavailable']);
});

it.each([
  ['nothing', 0],
  ['some of them', 2],
])('a batch of which the warehouse shows %s at first is delivered whole', async (_, shown) => {
  let looks = 0;
  const here = bench.process('here', {
    oneCopy: severalNodes,
    warehouse: {
      rows: async (query) => {
        const rows = await bench.warehouse.rows(query);
        return (query.sql.includes('AS properties_') && ++looks === 1 ? rows.slice(0, shown) : rows) as never;
      },
    },
  });
  await here.start();
  const config = await enabled();
  const events = makeEvents(3, HOUR, 120, random);
  await bench.capture(events);
  await until(async () => {
    const [sums] = (await bench.metrics()).filter(({ plugin_config_id }) => plugin_config_id === config);
    expect(sums).toMatchObject({ successes: 3, failures: 0 });
  });
  expect(new Set(receiver.requests.map(({ uuids }) => uuids.length))).toEqual(new Set([3]));
  await bench.disable(config);
  await here.stop(1_000);
});

it('events that are gone for good keep the others of their batch waiting for half a minute, once', async () => {
  const clock = new SettableClock(new Date().toISOString());
  const here = bench.process('here', {
    clock,
    oneCopy: severalNodes,
    warehouse: {
      rows: async (query) => {
        const rows = await bench.warehouse.rows(query);
        return (query.sql.includes('AS properties_') ? rows.slice(1) : rows) as never;
      },
    },
  });
  await here.start();
  const config = await enabled();
  let failures = 2;
  receiver.behave(() => ({ answer: failures-- > 0 ? 503 : 200 }));
  const events = makeEvents(3, HOUR, 120, random);
  await bench.capture(events);
  await until(() => {
    clock.advance(1_000);
    expect(receiver.taken().map(({ uuids }) => uuids.length)).toEqual([2]);
  });
  await bench.disable(config);
  await here.stop(1_000);
  const gone = bench.logged.map((line) => JSON.parse(line)).filter(({ planned }) => planned);
  expect(gone).toEqual([expect.objectContaining({ planned: 3, found: 2 })]);
});

it('a batch whose events are all gone is no success of a receiver that fails', async () => {
  const clock = new SettableClock(new Date().toISOString());
  let gone = false;
  const here = bench.process('here', {
    clock,
    warehouse: {
      rows: async (query) =>
        gone && query.sql.includes('AS properties_') ? ([] as never) : bench.warehouse.rows(query),
    },
  });
  await here.start();
  const config = await enabled();
  receiver.behave({ answer: 503 });
  await bench.capture(makeEvents(3, HOUR, 120, random));
  await until(() => expect(receiver.requests.length).toBeGreaterThan(7));
  gone = true;
  const { kysely } = bench.database;
  const row = () =>
    kysely
      .selectFrom('app_deliveries as delivery')
      .select(['failures', 'latest_error'])
      .select((of) =>
        of
          .selectFrom('app_batches')
          .select(of.fn.countAll<string>().as('n'))
          .whereRef('delivery_id', '=', 'delivery.id')
          .as('open'),
      )
      .where('plugin_config_id', '=', config)
      .executeTakeFirst();
  await until(async () => {
    clock.advance(1_000);
    expect(Number((await row())?.open)).toBe(0);
  });
  expect(await row()).toMatchObject({
    failures: expect.toSatisfy((failures: number) => failures > 5),
    latest_error: expect.stringContaining('503'),
  });
  const recovered = kysely
    .selectFrom('activity_log')
    .selectAll()
    .where('activity', '=', 'delivery_recovered');
  expect(await recovered.where('item_id', '=', String(config)).execute()).toEqual([]);
  await bench.disable(config);
  await here.stop(1_000);
});

it('plans that fail keep nothing back that has been planned', async () => {
  const first = bench.process('here');
  await first.start();
  const config = await enabled();
  receiver.behave({ answer: 503 });
  await bench.capture(makeEvents(3, HOUR, 120, random));
  await until(() => expect(receiver.requests.length).toBeGreaterThan(0));
  await first.stop(1_000);
  let failed = 0;
  receiver.behave(() => ({ answer: failed > 2 ? 200 : 503 }));
  const clock = new SettableClock(new Date().toISOString());
  const second = bench.process('here', {
    clock,
    warehouse: before(({ sql }) => {
      if (!sql.includes('AS bytes')) return;
      failed += 1;
      throw new SluiceError('warehouse_memory');
    }),
  });
  await second.start();
  await until(() => {
    clock.advance(1_000);
    expect(receiver.taken().map(({ uuids }) => uuids.length)).toEqual([3]);
  });
  await bench.disable(config);
  await second.stop(1_000);
});

it('stopping does not wait for a plan, and tells nobody of one that was cut off', async () => {
  const planning = Promise.withResolvers<void>();
  const here = bench.process('here', {
    warehouse: before(async ({ sql, signal }) => {
      if (!sql.includes('AS bytes')) return;
      planning.resolve();
      // As an engine that reads and reads.
      if (!signal) await new Promise(() => {});
      else if (!signal.aborted) await once(signal, 'abort');
      signal?.throwIfAborted();
    }),
  });
  await here.start();
  const config = await enabled();
  await bench.capture(makeEvents(1, HOUR, 120, random));
  await planning.promise;
  await here.stop(0);
  expect(bench.logged).toEqual([]);
  await bench.disable(config);
});

const until = <T>(check: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(check, { timeout: 20_000, interval: 50 });

/** The bench's warehouse, to whose reads something happens before. */
const before = (happens: (query: Query) => void | Promise<void>): Pick<Warehouse, 'rows'> => ({
  rows: async (query) => {
    await happens(query);
    return bench.warehouse.rows(query);
  },
});

async function enabled(): Promise<number> {
  const id = await bench.enable(WEBHOOK, { url: receiver.url });
  await until(async () => {
    const row = bench.database.kysely.selectFrom('app_deliveries').select('owner');
    expect(await row.where('plugin_config_id', '=', id).executeTakeFirst()).toEqual({ owner: 'here' });
  });
  return id;
}

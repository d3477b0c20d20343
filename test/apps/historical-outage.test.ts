import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { BACKOFF, HISTORICAL_PATIENCE } from '../../src/apps/delivery/backoff.ts';
import { SluiceError } from '../../src/errors/error.ts';
import { makeEvents } from '../faults/events.ts';
import { seeded } from '../faults/random.ts';
import { type Manner, startReceiver } from '../kit/receiver.ts';
import { SettableClock } from '../kit/settable-clock.ts';
import { type DeliveriesBench, type OwnEngines, openDeliveries } from './open-deliveries.ts';

const WEBHOOK = 1;
const DAY_MS = 86_400_000;
const random = seeded(53);

let bench: DeliveriesBench;
let day = Date.UTC(2026, 0, 1);
beforeAll(async () => {
  bench = await openDeliveries(60_000);
});
afterAll(() => bench?.close());

/** A historical export of 900 events, whose receiver takes two batches and then behaves so, on a clock of its own. */
async function began(manner: Manner, own: OwnEngines = {}) {
  const receiver = await startReceiver();
  const clock = new SettableClock(new Date().toISOString());
  const patience = { backoff: BACKOFF, historicalPatience: HISTORICAL_PATIENCE };
  const here = bench.process('here', { clock, ...patience, ...own });
  await here.start();
  day += 2 * DAY_MS;
  const events = makeEvents(900, { start: new Date(day), end: new Date(day + 3_600_000) }, 120, random);
  await bench.capture(events);
  let taken = 0;
  receiver.behave(() => (taken++ < 2 ? { answer: 200 } : manner));
  const config = await bench.enable(WEBHOOK, { url: receiver.url });
  const id = await bench.beginJob(config, { from: day, to: day + DAY_MS });
  const job = () =>
    bench.database.kysely
      .selectFrom('historical_exports')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirst();
  const failures = async () => {
    const row = bench.database.kysely.selectFrom('app_deliveries').select('failures');
    return (await row.where('historical_export_id', '=', id).executeTakeFirst())?.failures ?? 0;
  };
  return {
    receiver,
    clock,
    events,
    job,
    failures,
    end: async () => {
      await bench.disable(config);
      await here.stop(1_000);
      await receiver.close();
    },
  };
}

/** Until it is so, time goes by. */
const until = <T>(clock: SettableClock, check: () => Promise<T>): Promise<T> =>
  vi.waitFor(
    () => {
      clock.advance(10_000);
      return check();
    },
    { timeout: 50_000, interval: 20 },
  );

it('a receiver that is away for more than ten minutes ends no historical export', async () => {
  const { receiver, clock, events, job, failures, end } = await began({ answer: 503 });
  try {
    const from = clock.now();
    await until(clock, async () => {
      expect(await failures()).toBeGreaterThan(HISTORICAL_PATIENCE.attempts);
      expect(clock.now() - from).toBeGreaterThan(600_000);
    });
    expect(await job()).toMatchObject({ status: 'Running', delivered_events: 400 });
    receiver.behave({ answer: 200 });
    await until(clock, async () => expect(await job()).toMatchObject({ status: 'Completed' }));
    expect(await job()).toMatchObject({ delivered_events: 900, failed_events: 0 });
    const keys = new Map<string, Set<string>>();
    for (const { key, uuids } of receiver.requests)
      for (const uuid of uuids) keys.set(uuid, (keys.get(uuid) ?? new Set()).add(key));
    expect([...keys.keys()].toSorted()).toEqual(events.map(({ uuid }) => uuid).toSorted());
    expect([...keys.values()].every(({ size }) => size === 1)).toBe(true);
  } finally {
    await end();
  }
});

it('H3: what a person must mend ends it after ten attempts', async () => {
  const { receiver, clock, job, end } = await began({ answer: 404 });
  try {
    await until(clock, async () => expect(await job()).toMatchObject({ status: 'Failed' }));
    expect(receiver.requests.length).toBeLessThanOrEqual(2 + HISTORICAL_PATIENCE.attempts);
    expect((await job())?.failure_reason).toContain('404');
  } finally {
    await end();
  }
});

it('a batch that a firewall refuses until it is in small pieces ends none', async () => {
  const { receiver, clock, job, end } = await began({ answer: 403 });
  try {
    const small = () => receiver.taken().some(({ uuids }) => uuids.length <= 2);
    receiver.behave(({ uuids }) => ({ answer: uuids.length <= 2 || small() ? 200 : 403 }));
    await until(clock, async () => expect(await job()).toMatchObject({ status: 'Completed' }));
    expect(await job()).toMatchObject({ delivered_events: 900, failed_events: 0 });
    expect(
      receiver.requests.filter(({ manner }) => (manner as { answer: number }).answer === 403),
    ).toHaveLength(12);
  } finally {
    await end();
  }
});

it('one whose events cannot be counted goes on without its progress', async () => {
  const { clock, job, end } = await began(
    { answer: 200 },
    {
      warehouse: {
        rows: async (query) => {
          if (query.sql.includes('count() AS count')) throw new SluiceError('warehouse_memory');
          return bench.warehouse.rows(query);
        },
      },
    },
  );
  try {
    await until(clock, async () => expect(await job()).toMatchObject({ status: 'Completed', progress: 1 }));
    expect(await job()).toMatchObject({ total_events: null, delivered_events: 900 });
    expect(bench.logged.join('')).toContain('goes on without its progress');
  } finally {
    await end();
  }
});

it('one whose warehouse is away while it is counted has its progress all the same', async () => {
  let away = 5;
  const { clock, job, end } = await began(
    { answer: 200 },
    {
      warehouse: {
        rows: async (query) => {
          if (query.sql.includes('count() AS count') && away-- > 0)
            throw new SluiceError('warehouse_unavailable');
          return bench.warehouse.rows(query);
        },
      },
    },
  );
  try {
    await until(clock, async () => expect(await job()).toMatchObject({ status: 'Completed' }));
    expect(await job()).toMatchObject({ total_events: 900, delivered_events: 900 });
  } finally {
    await end();
  }
});

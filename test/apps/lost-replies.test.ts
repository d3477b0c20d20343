import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import type { Deliveries } from '../../src/apps/delivery/deliveries.ts';
import { startOf } from '../../src/apps/delivery/position.ts';
import { openBatches, replaceBatch, storePlan } from '../../src/apps/delivery/store.ts';
import { SluiceError } from '../../src/errors/error.ts';
import { makeEvents, type SentEvent } from '../faults/events.ts';
import { seeded } from '../faults/random.ts';
import { type Receiver, startReceiver } from '../kit/receiver.ts';
import { afterCommit, type Done } from './after-commit.ts';
import { type DeliveriesBench, openDeliveries } from './open-deliveries.ts';

const WEBHOOK = 1;
const DAY_MS = 86_400_000;
const random = seeded(31);

let bench: DeliveriesBench;
let receiver: Receiver;
let here: Deliveries;
/** Of the first transaction that does just this to batches, the commit is done and its reply lost. */
let losing: readonly Done[];
let config: number;
let day = Date.UTC(2026, 0, 1);

beforeAll(async () => {
  bench = await openDeliveries();
});
afterAll(() => bench?.close());
beforeEach(async () => {
  receiver = await startReceiver();
  losing = [];
  const db = afterCommit(bench.database.kysely, async (done) => {
    if (losing.length === 0 || done.size !== losing.length || !losing.every((what) => done.has(what))) return;
    losing = [];
    throw new SluiceError('database_unavailable');
  });
  here = bench.process('here', { db });
  await here.start();
  config = await bench.enable(WEBHOOK, { url: receiver.url });
  await until(async () => expect(await owner()).toBe('here'));
  day += 2 * DAY_MS;
  bench.logged.length = 0;
});
afterEach(async () => {
  await bench.disable(config);
  await here.stop(1_000);
  await receiver.close();
});

it('a delivery goes on when the reply to the end of a batch was lost', async () => {
  losing = ['deleteFrom'];
  const [first, second] = [eventsOf(3), eventsOf(4)];
  await bench.capture(first);
  await until(() => expect(losing).toEqual([]));
  await bench.capture(second);
  await takenOnce([...first, ...second]);
  await expectCounted({ live: 7 });
  expectToldOnce();
});

it('a historical export completes when the reply to the end of a batch was lost', async () => {
  const events = eventsOf(5);
  await bench.capture(events);
  await takenOnce(events);
  losing = ['updateTable'];
  const job = await bench.beginJob(config, { from: day, to: day + DAY_MS });
  await until(async () =>
    expect(
      await bench.database.kysely
        .selectFrom('historical_exports')
        .select(['status', 'delivered_events'])
        .where('id', '=', job)
        .executeTakeFirst(),
    ).toEqual({ status: 'Completed', delivered_events: 5 }),
  );
  await expectCounted({ live: 5, job: 5 });
  expectToldOnce();
});

it('D1: events are sent once, under one key, when the reply to their plan was lost', async () => {
  losing = ['insertInto'];
  const events = eventsOf(6);
  await bench.capture(events);
  await takenOnce(events);
  await expectCounted({ live: 6 });
  expectToldOnce();
});

it('D1: events are taken once when the reply to the splitting of their batch was lost', async () => {
  losing = ['deleteFrom', 'insertInto'];
  receiver.behave(({ uuids }) => ({ answer: uuids.length > 2 ? 413 : 200 }));
  const events = eventsOf(8);
  await bench.capture(events);
  await takenOnce(events);
  await expectCounted({ live: 8 });
  expectToldOnce();
});

it('a batch is replaced once', async () => {
  await here.stop(1_000);
  const { id, epoch } = await row();
  const [from, to] = [startOf(day), startOf(day + 2)];
  const [batch] = await storePlan(
    bench.ports,
    { id, epoch },
    [{ after: from, until: to, events: 2, bytes: null }],
    to,
  );
  if (!batch) throw new Error('nothing was stored');
  const middle = startOf(day + 1);
  const parts = [
    { after: from, until: middle, events: 1, bytes: null },
    { after: middle, until: to, events: 1, bytes: null },
  ];
  const replace = () =>
    bench.database.kysely
      .transaction()
      .execute((trx) => replaceBatch(trx, bench.ports, { id, epoch }, batch, parts));
  const smaller = await replace();
  await expect(replace()).rejects.toMatchObject({
    code: 'delivery_superseded',
  });
  expect(await openBatches(bench.database.kysely, id)).toEqual(smaller);
});

const until = <T>(check: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(check, { timeout: 10_000, interval: 20 });
const eventsOf = (count: number): SentEvent[] =>
  makeEvents(count, { start: new Date(day), end: new Date(day + DAY_MS) }, 120, random);
const row = () =>
  bench.database.kysely
    .selectFrom('app_deliveries')
    .selectAll()
    .where('plugin_config_id', '=', config)
    .executeTakeFirstOrThrow();
const owner = async () => (await row().catch(() => null))?.owner;

/** Each under one key only, however often that was sent on a busy machine, and nothing is left to be sent. */
async function takenOnce(events: readonly SentEvent[]): Promise<void> {
  const wanted = events.map(({ uuid }) => uuid).toSorted();
  await until(async () => {
    const byKey = new Map(receiver.taken().map(({ key, uuids }) => [key, uuids]));
    expect([...byKey.values()].flat().toSorted()).toEqual(wanted);
    expect(await openBatches(bench.database.kysely, (await row()).id)).toEqual([]);
  });
}

/** Events counted as delivered, at once or on retry. */
async function expectCounted(wanted: { readonly live: number; readonly job?: number }): Promise<void> {
  const sums = (await bench.metrics()).filter(({ plugin_config_id }) => plugin_config_id === config);
  const of = (job: boolean) =>
    sums
      .filter(({ job_id }) => (job_id !== '') === job)
      .reduce((sum, { successes, successes_on_retry }) => sum + successes + successes_on_retry, 0);
  expect({ live: of(false), job: of(true) }).toEqual({ job: 0, ...wanted });
}

function expectToldOnce(): void {
  expect(bench.logged.map((line) => JSON.parse(line))).toEqual([
    expect.objectContaining({ err: expect.objectContaining({ code: 'database_unavailable' }) }),
    expect.objectContaining({ msg: 'a delivery begins anew from what is stored' }),
  ]);
}

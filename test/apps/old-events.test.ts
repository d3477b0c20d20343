import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import type { Deliveries } from '../../src/apps/delivery/deliveries.ts';
import { makeEvents, type SentEvent } from '../faults/events.ts';
import { seeded } from '../faults/random.ts';
import { type Receiver, startReceiver } from '../kit/receiver.ts';
import { type DeliveriesBench, openDeliveries } from './open-deliveries.ts';

const WEBHOOK = 1;
const HOUR_MS = 3_600_000;
const random = seeded(29);

let bench: DeliveriesBench;
let receiver: Receiver;
let here: Deliveries;
beforeAll(async () => {
  bench = await openDeliveries();
});
afterAll(() => bench?.close());
beforeEach(async () => {
  receiver = await startReceiver();
  here = bench.process('here');
});
afterEach(async () => {
  await here.stop(1_000);
  await receiver.close();
});

it('an app that was on for a while gets events from before 1970 as well as those of today', async () => {
  const config = await enabledBefore(HOUR_MS);
  await here.start();
  await vi.waitFor(async () => expect(await owners()).toEqual(['here']), { timeout: 10_000 });
  const events = oldAndNew();
  await bench.capture(events);
  await taken(events);
  await bench.disable(config);
});

it('a cursor that an earlier version left just before such events passes over none of them', async () => {
  const config = await enabledBefore(HOUR_MS);
  const events = oldAndNew();
  await bench.capture(events);
  const [arrival] = await bench.warehouse.rows<{ micros: string }>({
    sql: `SELECT toUnixTimestamp64Micro(inserted_at) AS micros FROM events WHERE toString(uuid) = {uuid:String}`,
    params: { uuid: events[0]?.uuid ?? '' },
  });
  const { enabled_at } = await bench.database.kysely
    .selectFrom('plugin_configs')
    .select('enabled_at')
    .where('id', '=', config)
    .executeTakeFirstOrThrow();
  await bench.database.kysely
    .insertInto('app_deliveries')
    .values({
      id: crypto.randomUUID(),
      plugin_config_id: config,
      since: enabled_at as Date,
      cursor_first: Number(arrival?.micros),
      cursor_second: -1,
      cursor_uuid: '00000000-0000-0000-0000-000000000000',
    })
    .execute();
  await here.start();
  await taken(events);
});

/** One request's: they arrive in the same microsecond. */
const oldAndNew = (): SentEvent[] =>
  ['1960-02-29T12:00:00Z', new Date().toISOString()].flatMap((start) =>
    makeEvents(1, { start: new Date(start), end: new Date(start) }, 120, random),
  );

async function enabledBefore(ms: number): Promise<number> {
  const id = await bench.enable(WEBHOOK, { url: receiver.url });
  await bench.database.kysely
    .updateTable('plugin_configs')
    .set({ enabled_at: new Date(Date.now() - ms) })
    .where('id', '=', id)
    .execute();
  return id;
}

async function owners(): Promise<(string | null)[]> {
  const rows = await bench.database.kysely.selectFrom('app_deliveries').select('owner').execute();
  return rows.map(({ owner }) => owner);
}

async function taken(events: readonly SentEvent[]): Promise<void> {
  const wanted = events.map(({ uuid }) => uuid);
  await vi.waitFor(() => expect(receiver.taken().flatMap(({ uuids }) => uuids)).toEqual(wanted), {
    timeout: 10_000,
  });
}

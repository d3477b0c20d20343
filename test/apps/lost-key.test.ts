import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { MASK } from '../../src/apps/plugin-configs/config.ts';
import { changeConfig } from '../../src/apps/plugin-configs/service.ts';
import { liveErrors } from '../../src/apps/plugin-configs/store.ts';
import { catalogue } from '../../src/errors/catalogue.ts';
import { createSealer } from '../../src/integrations/sealing.ts';
import { seededBytes } from '../contract/start-api.ts';
import { makeEvents } from '../faults/events.ts';
import { seeded } from '../faults/random.ts';
import { type Receiver, startReceiver } from '../kit/receiver.ts';
import { type DeliveriesBench, openDeliveries } from './open-deliveries.ts';

const WEBHOOK = 1;
const HOUR = { start: new Date('2026-01-01T00:00:00Z'), end: new Date('2026-01-01T01:00:00Z') };

let bench: DeliveriesBench;
let receiver: Receiver;
beforeAll(async () => {
  [bench, receiver] = await Promise.all([openDeliveries(), startReceiver()]);
});
afterAll(async () => {
  await bench?.close();
  await receiver?.close();
});

it('an app whose secrets are sealed with a lost key says so, and goes on when they are sent again', async () => {
  const { database, ports, organizationId, teamId, userId } = bench;
  const db = database.kysely;
  const config = await bench.enable(WEBHOOK, { url: receiver.url, secret: 'hush' });
  const other = createSealer(['another secret of at least 32 bytes'], seededBytes('another'));
  await db
    .updateTable('plugin_configs')
    .set({ sealed: other.seal('{"secret":"hush"}', `plugin config:${teamId}:${WEBHOOK}`) })
    .where('id', '=', config)
    .execute();
  const events = makeEvents(4, HOUR, 120, seeded(43));
  await bench.capture(events);
  const job = await bench.beginJob(config, { from: HOUR.start.getTime(), to: HOUR.end.getTime() });
  const error = async () => (await liveErrors(db, [config])).get(config) ?? null;
  const change = (body: Parameters<typeof changeConfig>[3]) =>
    changeConfig(ports, { userId, teamId, organizationId }, String(config), body);

  const here = bench.process('here');
  await here.start();
  try {
    await until(async () =>
      expect(await error()).toEqual({
        message: catalogue.secret_unreadable.meaning,
        since: expect.any(Date),
      }),
    );
    // Its receiver had failed before the key was lost.
    await db
      .updateTable('app_deliveries')
      .set({ failures: 3, next_attempt_at: new Date(Date.now() + 3_600_000) })
      .where('plugin_config_id', '=', config)
      .execute();
    await change({ name: 'another' });
    for (const sent of [{}, { secret: MASK }, { secret: 'hush again' }]) {
      await expect(change({ config: sent })).rejects.toMatchObject({ code: 'required' });
    }
    await change({ config: { secret: 'hush again', authorization: null } });
    await until(async () => expect(await error()).toBeNull());
    await until(async () =>
      expect(
        await db.selectFrom('historical_exports').select('status').where('id', '=', job).executeTakeFirst(),
      ).toEqual({ status: 'Completed' }),
    );
    const wanted = events.map(({ uuid }) => uuid).toSorted();
    await until(() =>
      expect({ live: takenAs(false), past: takenAs(true) }).toEqual({ live: wanted, past: wanted }),
    );
    for (const { headers } of receiver.taken()) expect(headers['x-sluice-signature']).toBeDefined();
  } finally {
    await here.stop(1_000);
  }
});

/** Events taken live, or by historical exports; each once, should an answer have come too late. */
const takenAs = (historical: boolean) => {
  const requests = receiver.taken().filter(({ body }) => JSON.parse(body).historical === historical);
  return [...new Set(requests.flatMap(({ uuids }) => uuids))].toSorted();
};
const until = <T>(check: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(check, { timeout: 20_000, interval: 50 });

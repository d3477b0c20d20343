import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { matchConfigs } from '../../src/apps/delivery/lease.ts';
import { MASK } from '../../src/apps/plugin-configs/config.ts';
import { changeConfig } from '../../src/apps/plugin-configs/service.ts';
import { makeEvents } from '../faults/events.ts';
import { seeded } from '../faults/random.ts';
import { type Receiver, startReceiver } from '../kit/receiver.ts';
import { type DeliveriesBench, openDeliveries } from './open-deliveries.ts';

const WEBHOOK = 1;
const HOUR = { start: new Date('2026-01-01T00:00:00Z'), end: new Date('2026-01-01T01:00:00Z') };
const random = seeded(41);

let bench: DeliveriesBench;
let receiver: Receiver;
beforeAll(async () => {
  bench = await openDeliveries();
});
afterAll(() => bench?.close());
beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(async () => {
  await bench.database.kysely.updateTable('plugin_configs').set({ enabled: false }).execute();
  await receiver.close();
});

it('however many apps there are, all begin with the first look', async () => {
  for (let app = 0; app < 45; app++) await bench.enable(WEBHOOK, { url: receiver.url });
  const here = bench.process('here', { pace: { leaseSeconds: 600, leaseMs: 600_000, newsMs: 600_000 } });
  await here.start();
  await until(async () => expect(await owners()).toEqual(Array.from({ length: 45 }, () => 'here')));
  await here.stop(1_000);
});

it('an app that gets another name is left alone; one that gets another config begins anew at once', async () => {
  const here = bench.process('here');
  await here.start();
  receiver.behave({ answer: 429, retryAfter: 600 });
  const config = await bench.enable(WEBHOOK, { url: receiver.url });
  await until(async () => expect((await row(config))?.owner).toBe('here'));
  await bench.capture(makeEvents(1, HOUR, 120, random));
  await until(async () => expect((await row(config))?.failures).toBe(1));
  const asked = await row(config);

  await change(config, { name: 'another', order: 7 });
  // When this one has been taken, the other one has been looked at.
  const other = await bench.enable(WEBHOOK, { url: receiver.url });
  await until(async () => expect((await row(other))?.owner).toBe('here'));
  expect(await row(config)).toMatchObject({ next_attempt_at: asked?.next_attempt_at });
  expect(receiver.requests).toHaveLength(1);

  receiver.behave({ answer: 200 });
  await change(config, { config: JSON.stringify({ url: `${receiver.url}/elsewhere` }) });
  await until(() => expect(receiver.taken().map(({ path }) => path)).toEqual(['/elsewhere']));
  await here.stop(1_000);
});

it('D6: an app that was off between two looks begins with what arrives from then on', async () => {
  const config = await bench.enable(WEBHOOK, { url: receiver.url });
  await matchConfigs(bench.ports);
  const before = await row(config);
  const since = new Date((before?.since.getTime() ?? 0) + 1_000);
  const again = bench.database.kysely.updateTable('plugin_configs').set({ enabled_at: since });
  await again.where('id', '=', config).execute();
  await matchConfigs(bench.ports);
  const after = await row(config);
  expect(after).toMatchObject({ since, cursor_first: since.getTime() * 1000 });
  expect(after?.id).not.toBe(before?.id);
});

it('what a change of the config cuts off was an attempt', async () => {
  const here = bench.process('here');
  await here.start();
  receiver.behave('hang');
  const config = await bench.enable(WEBHOOK, { url: receiver.url });
  await until(async () => expect((await row(config))?.owner).toBe('here'));
  await bench.capture(makeEvents(3, HOUR, 120, random));
  await until(() => expect(receiver.requests).toHaveLength(1));
  receiver.behave({ answer: 200 });
  await change(config, { config: JSON.stringify({ url: `${receiver.url}/elsewhere` }) });
  await until(() => expect(receiver.taken()).toHaveLength(1));
  expect(new Set(receiver.requests.map(({ key }) => key)).size).toBe(1);
  await until(async () =>
    expect((await bench.metrics()).find((sums) => sums.plugin_config_id === config)).toMatchObject({
      successes: 0,
      successes_on_retry: 3,
    }),
  );
  expect(bench.logged.filter((line) => line.includes('begins anew'))).toEqual([]);
  await here.stop(1_000);
});

it('a config that is saved as it was is left alone, unless its secrets have to be sealed with another key', async () => {
  const here = bench.process('here');
  await here.start();
  receiver.behave({ answer: 429, retryAfter: 600 });
  const config = await bench.enable(WEBHOOK, { url: receiver.url, secret: 'hush', shape: 'batch' });
  await until(async () => expect((await row(config))?.owner).toBe('here'));
  await bench.capture(makeEvents(1, HOUR, 120, random));
  await until(async () => expect((await row(config))?.failures).toBe(1));
  const asked = await row(config);
  const { userId, teamId, organizationId } = bench;
  const save = (sent: Record<string, string>, ports = bench.ports) =>
    changeConfig(ports, { userId, teamId, organizationId }, String(config), { config: sent });

  const before = await configRow(config);
  for (const sent of [{ secret: MASK }, { shape: 'batch', url: receiver.url }, { secret: 'hush' }, {}]) {
    await save(sent);
  }
  expect(await configRow(config)).toEqual(before);
  // When this one has been taken, the other one has been looked at.
  const other = await bench.enable(WEBHOOK, { url: receiver.url });
  await until(async () => expect((await row(other))?.owner).toBe('here'));
  expect(await row(config)).toMatchObject({ epoch: asked?.epoch, next_attempt_at: asked?.next_attempt_at });
  expect(receiver.requests).toHaveLength(1);

  await save({ secret: MASK }, { ...bench.ports, isCurrent: () => false });
  expect((await configRow(config)).sealed).not.toBe(before.sealed);
  await here.stop(1_000);
});

it('the batches of a delivery that is deleted are found by an index, ended ones included', async () => {
  const plan = await bench.database.kysely.transaction().execute(async (trx) => {
    // The planner may do without an index only where there is none to use.
    await sql`set local enable_seqscan = off`.execute(trx);
    const { rows } =
      await sql`explain delete from app_batches where delivery_id = ${crypto.randomUUID()}`.execute(trx);
    return JSON.stringify(rows);
  });
  expect(plan).toContain('app_batches_delivery');
});

const until = <T>(check: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(check, { timeout: 20_000, interval: 50 });
const owners = async () =>
  (await bench.database.kysely.selectFrom('app_deliveries').select('owner').execute()).map(
    ({ owner }) => owner,
  );
const row = (config: number) =>
  bench.database.kysely
    .selectFrom('app_deliveries')
    .selectAll()
    .where('plugin_config_id', '=', config)
    .executeTakeFirst();
const configRow = (config: number) =>
  bench.database.kysely
    .selectFrom('plugin_configs')
    .select(['config', 'sealed'])
    .where('id', '=', config)
    .executeTakeFirstOrThrow();
const change = (config: number, values: { name?: string; order?: number; config?: string }) =>
  bench.database.kysely
    .updateTable('plugin_configs')
    .set({ ...values, updated_at: new Date() })
    .where('id', '=', config)
    .execute();

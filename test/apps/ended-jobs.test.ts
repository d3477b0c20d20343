import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { failHistoricalExport } from '../../src/apps/historical-exports/end.ts';
import { clearLedgers, PORTION } from '../../src/apps/historical-exports/ledger.ts';
import { type DeliveriesBench, openDeliveries } from './open-deliveries.ts';

const WEBHOOK = 1;
const NOWHERE = { url: 'http://127.0.0.1:9/' };
const DAY_MS = 86_400_000;

let bench: DeliveriesBench;
beforeAll(async () => {
  bench = await openDeliveries();
});
afterAll(() => bench?.close());

it('a job that cannot be ended keeps no app from its delivery and no other job from its end', async () => {
  const [stuck, ended] = await Promise.all([bench.enable(WEBHOOK, NOWHERE), bench.enable(WEBHOOK, NOWHERE)]);
  const [stuckJob, endedJob] = [await newJob(stuck), await newJob(ended)];
  const { kysely } = bench.database;
  await sql`create function refuse() returns trigger language plpgsql as 'begin raise exception ''no''; end'`.execute(
    kysely,
  );
  await sql`create trigger refuse before update on historical_exports for each row
    when (new.id = ${sql.lit(stuckJob)}) execute function refuse()`.execute(kysely);
  await bench.disable(stuck);
  await bench.disable(ended);

  const here = bench.process('here');
  await here.start();
  try {
    await until(async () => expect(await statusOf(endedJob)).toBe('Failed'));
    const config = await bench.enable(WEBHOOK, NOWHERE);
    const lease = async () => (await live(config))?.lease_until?.getTime() ?? 0;
    await until(async () => expect((await live(config))?.owner).toBe('here'));
    const first = await lease();
    await until(async () => expect(await lease()).toBeGreaterThan(first));
    expect((await live(config))?.epoch).toBe(1);
    expect(await statusOf(stuckJob)).toBe('Starting');
    await bench.disable(config);
  } finally {
    await here.stop(1_000);
  }
});

it('a job ends at once, however many batches it had; their rows go in portions', async () => {
  const { kysely } = bench.database;
  const job = await newJob(await bench.enable(WEBHOOK, NOWHERE));
  const { id: delivery } = await kysely
    .selectFrom('app_deliveries')
    .select('id')
    .where('historical_export_id', '=', job)
    .executeTakeFirstOrThrow();
  await sql`insert into app_batches (id, delivery_id, after_first, after_second, after_uuid, until_first, until_second, until_uuid,
      events, ended_at)
    select gen_random_uuid(), ${delivery}, n, 0, ${delivery}, n + 1, 0, ${delivery}, 1, now()
    from generate_series(1, ${2 * PORTION + 1}::int) as n`.execute(kysely);
  const left = async () =>
    (await kysely.selectFrom('app_batches').select('id').where('delivery_id', '=', delivery).execute())
      .length;

  await failHistoricalExport(bench.ports, job, 'The receiver is gone.');
  expect(await statusOf(job)).toBe('Failed');
  const rows = [await left()];
  while (await clearLedgers(kysely)) rows.push(await left());
  expect(rows).toEqual([2 * PORTION + 1, PORTION + 1, 1, 0]);
  const deliveries = kysely.selectFrom('app_deliveries').select('id').where('historical_export_id', '=', job);
  expect(await deliveries.execute()).toEqual([]);
});

it('what jobs left is removed by whoever delivers', async () => {
  const job = await newJob(await bench.enable(WEBHOOK, NOWHERE));
  await failHistoricalExport(bench.ports, job, 'The receiver is gone.');
  const here = bench.process('here');
  await here.start();
  const deliveries = bench.database.kysely
    .selectFrom('app_deliveries')
    .select('id')
    .where('historical_export_id', '=', job);
  await until(async () => expect(await deliveries.execute()).toEqual([]));
  await here.stop(1_000);
});

const until = <T>(check: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(check, { timeout: 20_000, interval: 50 });
const statusOf = async (job: string) =>
  (
    await bench.database.kysely
      .selectFrom('historical_exports')
      .select('status')
      .where('id', '=', job)
      .executeTakeFirstOrThrow()
  ).status;
const live = (config: number) =>
  bench.database.kysely
    .selectFrom('app_deliveries')
    .selectAll()
    .where('plugin_config_id', '=', config)
    .where('historical_export_id', 'is', null)
    .executeTakeFirst();
const newJob = (pluginConfigId: number): Promise<string> =>
  bench.beginJob(pluginConfigId, { from: 0, to: DAY_MS });

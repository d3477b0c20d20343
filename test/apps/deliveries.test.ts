import { setTimeout as pause } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import pino from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Deliveries } from '../../src/apps/delivery/deliveries.ts';
import { fenced } from '../../src/apps/delivery/store.ts';
import { writeMetrics } from '../../src/apps/metrics/write.ts';
import { flushMetrics } from '../../src/apps/metrics/write-flush.ts';
import { noteMetric } from '../../src/apps/metrics/write-outbox.ts';
import { countRuns } from '../../src/apps/metrics/write-runs.ts';
import type { Insert } from '../../src/warehouse/warehouse.ts';
import { systemClock } from '../../src/work/clock.ts';
import { makeEvents, type SentEvent } from '../faults/events.ts';
import { seeded } from '../faults/random.ts';
import { type Manner, type Receiver, startReceiver } from '../kit/receiver.ts';
import { startS3 } from '../kit/s3/server.ts';
import { type DeliveriesBench, openDeliveries } from './open-deliveries.ts';

const WEBHOOK = 1;
const REPLICATOR = 2;
const ARCHIVE = 3;
const random = seeded(11);
const DAY = 86_400_000;
const today = Math.floor(Date.now() / DAY) * DAY;
const someEvents = (count: number, at = today): SentEvent[] =>
  makeEvents(count, { start: new Date(at), end: new Date(at + 3_600_000) }, 120, random);

let bench: DeliveriesBench;
let here: Deliveries;
let receiver: Receiver;
const receivers: Receiver[] = [];
const enabled: number[] = [];

beforeAll(async () => {
  bench = await openDeliveries();
  here = bench.process('here');
  await here.start();
});
afterAll(async () => {
  await here?.stop(1_000);
  await bench?.close();
});
afterEach(async () => {
  for (const id of enabled.splice(0)) await bench.disable(id);
  for (const each of receivers.splice(0)) await each.close();
});

async function newReceiver(): Promise<Receiver> {
  const made = await startReceiver();
  receivers.push(made);
  return made;
}

/** Turns an app on and waits until it is followed. */
async function enable(app: number, config: Record<string, unknown>): Promise<number> {
  const id = await bench.enable(app, config);
  enabled.push(id);
  await until(async () => expect(await liveRow(id)).toMatchObject({ owner: 'here' }));
  return id;
}

const until = <T>(check: () => T | Promise<T>, timeout = 10_000): Promise<T> =>
  vi.waitFor(check, { timeout, interval: 20 });
const liveRow = (config: number) =>
  bench.database.kysely
    .selectFrom('app_deliveries')
    .selectAll()
    .where('plugin_config_id', '=', config)
    .where('historical_export_id', 'is', null)
    .executeTakeFirst();
const idsOf = (events: readonly SentEvent[]) => events.map(({ uuid }) => uuid).toSorted();
/** Each once: on a busy machine an answer may come too late to count. */
const takenBy = (each: Receiver) => [...new Set(each.taken().flatMap(({ uuids }) => uuids))].toSorted();
const sumsOf = async (config: number) =>
  (await bench.metrics()).find(({ plugin_config_id }) => plugin_config_id === config);

const MANNERS: readonly (readonly [what: string, manner: Manner, error: string])[] = [
  ['500', { answer: 500 }, 'destination_unavailable'],
  ['401', { answer: 401 }, 'destination_denied'],
  ['404', { answer: 404 }, 'destination_missing'],
  ['a redirect', { answer: 302 }, 'destination_config'],
  ['a reset connection', 'reset', 'destination_unavailable'],
  ['half an answer', 'half an answer', 'destination_unavailable'],
  ['no answer', 'hang', 'destination_unavailable'],
  ['another protocol', 'upgrade', 'destination_config'],
];

/** One receiver and app for each, all at once: they get the same events. */
async function enableEach<T>(
  cases: readonly T[],
  behaviour: (each: T) => Parameters<Receiver['behave']>[0],
  config: Record<string, unknown> = {},
): Promise<{ each: T; config: number; at: Receiver }[]> {
  return Promise.all(
    cases.map(async (each) => {
      const at = await newReceiver();
      at.behave(behaviour(each));
      return { each, at, config: await enable(WEBHOOK, { url: at.url, ...config }) };
    }),
  );
}

it('contract §12, D2: an attempt that fails is repeated with the same batch and key', async () => {
  const all = await enableEach(MANNERS, ([, manner]) => {
    let left = 2;
    return () => (left-- > 0 ? manner : { answer: 200 });
  });
  const events = someEvents(30);
  await bench.capture(events);
  for (const { each, at, config } of all) {
    const [what, , error] = each;
    await until(() => expect(takenBy(at), what).toEqual(idsOf(events)));
    const [first, ...others] = at.requests;
    expect(others.length, what).toBeGreaterThanOrEqual(2);
    for (const other of others) {
      expect(other.key, what).toBe(first?.key);
      expect(other.uuids, what).toEqual(first?.uuids);
    }
    const sums = { category: 'webhook', successes: 0, successes_on_retry: 30, failures: 0, errors: [error] };
    await until(async () => expect(await sumsOf(config), what).toMatchObject(sums));
    expect(await liveRow(config), what).toMatchObject({ failures: 0, latest_error: null });
  }
});

it('Retry-After is honoured', async () => {
  receiver = await newReceiver();
  await enable(WEBHOOK, { url: receiver.url });
  let left = 1;
  receiver.behave(() => (left-- > 0 ? { answer: 429, retryAfter: 1 } : { answer: 200 }));
  await bench.capture(someEvents(3));
  await until(() => expect(receiver.taken()).toHaveLength(1));
  const [first, second] = receiver.requests;
  expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(1000);
});

it('400, 413, 422: only the event that is at fault is lost, and counted', async () => {
  const events = someEvents(20);
  const bad = events[13]?.uuid ?? '';
  const body = 'hush-hush-hush does not like it';
  const all = await enableEach(
    [400, 413, 422],
    (answer) =>
      ({ uuids }) =>
        uuids.includes(bad) ? { answer, body } : { answer: 200 },
    { secret: 'hush-hush-hush' },
  );
  await bench.capture(events);
  for (const { each, at, config } of all) {
    const good = idsOf(events).filter((uuid) => uuid !== bad);
    await until(() => expect(takenBy(at), `${each}`).toEqual(good));
    const sums = { successes: 19, failures: 1 };
    await until(async () => expect(await sumsOf(config), `${each}`).toMatchObject(sums));
    const [row] = await bench.warehouse.rows<{ error_details: string }>({
      sql: `SELECT error_details FROM app_metrics WHERE plugin_config_id = {config:Int64} AND error_type != ''`,
      params: { config },
    });
    expect(JSON.parse(row?.error_details ?? '')).toMatchObject({ event: { uuid: bad }, eventCount: 1 });
    expect(row?.error_details).not.toContain('hush-hush');
  }
  expect(bench.logged.join('')).not.toContain('hush-hush');
});

it('413: however many events were too large, smaller batches of others are taken', async () => {
  receiver = await newReceiver();
  await enable(WEBHOOK, { url: receiver.url });
  const large = someEvents(10);
  const bad = new Set(idsOf(large));
  receiver.behave(({ uuids }) => ({
    answer: uuids.length > 5 || uuids.some((uuid) => bad.has(uuid)) ? 413 : 200,
  }));
  await bench.capture(large);
  const alone = () => receiver.requests.filter(({ uuids }) => uuids.length === 1);
  await until(() => expect(alone()).toHaveLength(10), 20_000);
  const events = someEvents(8);
  await bench.capture(events);
  await until(() => expect(takenBy(receiver)).toEqual(idsOf(events)));
});

it('D5: in the order of arrival, one batch after the other, also through failures', async () => {
  receiver = await newReceiver();
  await enable(WEBHOOK, { url: receiver.url });
  let count = 0;
  receiver.behave(() => (count++ % 3 === 0 ? { answer: 503 } : { answer: 200 }));
  const waves = Array.from({ length: 4 }, () => someEvents(150));
  for (const wave of waves) await bench.capture(wave);
  await until(() => expect(takenBy(receiver)).toEqual(waves.flatMap(idsOf).toSorted()));
  const order = [...new Set(receiver.taken().flatMap(({ uuids }) => uuids))];
  const expected = waves.flatMap((wave) =>
    wave
      .toSorted((a, b) => a.timestamp.localeCompare(b.timestamp) || a.uuid.localeCompare(b.uuid))
      .map(({ uuid }) => uuid),
  );
  expect(order).toEqual(expected);
});

it('a dead receiver keeps nobody else waiting, and people are told', async () => {
  const dead = await newReceiver();
  receiver = await newReceiver();
  dead.behave('hang');
  const failing = await enable(WEBHOOK, { url: dead.url });
  await enable(WEBHOOK, { url: receiver.url });
  const events = someEvents(40);
  await bench.capture(events);
  await until(() => expect(takenBy(receiver)).toEqual(idsOf(events)), 3_000);
  await until(async () => expect((await liveRow(failing))?.failures).toBeGreaterThanOrEqual(6), 20_000);
  const activities = await bench.database.kysely
    .selectFrom('activity_log')
    .select(['activity', 'detail'])
    .where('scope', '=', 'PluginConfig')
    .where('item_id', '=', String(failing))
    .execute();
  expect(activities).toEqual([
    { activity: 'delivery_failing', detail: expect.objectContaining({ failures: 6 }) },
  ]);
  dead.behave({ answer: 200 });
  await until(() => expect(takenBy(dead)).toEqual(idsOf(events)));
});

it('a host that may not be reached is not asked, whatever the config says', async () => {
  const config = await enable(WEBHOOK, { url: 'http://169.254.169.254/latest' });
  await bench.capture(someEvents(1));
  await until(async () =>
    expect(await liveRow(config)).toMatchObject({ latest_error: expect.stringContaining('169.254.169.254') }),
  );
});

it('D6: turned off it gets nothing more; turned on again, what arrives from then on', async () => {
  receiver = await newReceiver();
  const config = await enable(WEBHOOK, { url: receiver.url });
  receiver.behave({ answer: 500 });
  await bench.capture(someEvents(5));
  await until(() => expect(receiver.requests.length).toBeGreaterThan(0));
  await bench.disable(config);
  await until(async () => expect(await liveRow(config)).toBeUndefined());
  await bench.capture(someEvents(5));
  const now = new Date();
  await bench.database.kysely
    .updateTable('plugin_configs')
    .set({ enabled: true, enabled_at: now, updated_at: now })
    .where('id', '=', config)
    .execute();
  await until(async () => expect(await liveRow(config)).toMatchObject({ owner: 'here', since: now }));
  // Only now is the old delivery sure to have stopped: its next attempt could come just after its row was removed.
  receiver.behave({ answer: 200 });
  const later = someEvents(5);
  await bench.capture(later);
  await until(() => expect(takenBy(receiver)).toEqual(idsOf(later)));
});

it('D3: a process that falls silent loses its deliveries, and what it writes afterwards counts for nothing', async () => {
  receiver = await newReceiver();
  const config = await enable(WEBHOOK, { url: receiver.url });
  receiver.behave('hang');
  const events = someEvents(10);
  await bench.capture(events);
  await until(() => expect(receiver.requests).toHaveLength(1));
  const old = await liveRow(config);
  // As a kill would: nothing is given back.
  await bench.database.kysely
    .updateTable('app_deliveries')
    .set({ owner: 'a dead process', lease_until: new Date(Date.now() + 700) })
    .where('plugin_config_id', '=', config)
    .execute();
  receiver.behave({ answer: 200 });
  await until(() => expect(takenBy(receiver)).toEqual(idsOf(events)));
  expect(new Set(receiver.requests.map(({ key }) => key)).size).toBe(1);
  await until(async () =>
    expect(await sumsOf(config)).toMatchObject({ successes: 0, successes_on_retry: 10 }),
  );
  const row = await liveRow(config);
  expect(row?.epoch).toBe((old?.epoch ?? 0) + 1);
  await expect(
    fenced(bench.database.kysely, { id: old?.id ?? '', epoch: old?.epoch ?? 0 }, { failures: 9 }),
  ).rejects.toMatchObject({ code: 'delivery_superseded' });
});

it('the archive writes gzip JSON Lines below keys that an attempt repeated does not change', async () => {
  const s3 = await startS3({ buckets: ['lake'] });
  try {
    const config = await enable(ARCHIVE, {
      bucket_name: 'lake',
      region: s3.region,
      prefix: '/archive/',
      endpoint_url: s3.url,
      aws_access_key_id: s3.credentials.accessKeyId,
      aws_secret_access_key: s3.credentials.secretAccessKey,
    });
    const events = someEvents(12);
    await bench.capture(events);
    // Live, a file would wait five minutes for more; a historical export writes the same files at once.
    const job = await bench.beginJob(config, { from: today, to: today + DAY, parallelism: 2 });
    await until(async () => expect(await jobRow(job)).toMatchObject({ status: 'Completed' }));
    const keys = s3.objects('lake');
    expect(keys).toHaveLength(1);
    expect(keys[0]).toMatch(/^archive\/\d{4}\/\d\d\/\d\d\/\d\d\/[0-9a-f-]{36}\.jsonl\.gz$/);
    const lines = gunzipSync((await s3.content('lake', keys[0] ?? '')) ?? '')
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).uuid as string);
    expect(lines).toEqual(expect.arrayContaining(idsOf(events)));
  } finally {
    await s3.stop();
  }
});

const jobRow = (id: string) =>
  bench.database.kysely.selectFrom('historical_exports').selectAll().where('id', '=', id).executeTakeFirst();
const jobActivities = (config: number) =>
  bench.database.kysely
    .selectFrom('activity_log')
    .select(['activity', 'detail'])
    .where('item_id', '=', String(config))
    .where('scope', '=', 'PluginConfig')
    .where('activity', 'like', 'export_%')
    .execute();

describe('historical exports', () => {
  // A day of its own for each: what other tests captured is not in it.
  let day = today - 400 * DAY;
  const begin = (config: number) => bench.beginJob(config, { from: day, to: day + DAY, parallelism: 3 });

  async function dayOfEvents(count: number): Promise<SentEvent[]> {
    day += 2 * DAY;
    const events = someEvents(count, day);
    await bench.capture([...events, ...someEvents(5, day + DAY), ...someEvents(5, day - DAY)]);
    return events;
  }

  it('H1, H3, contract §11.5: every event of the range, counted under the job', async () => {
    receiver = await newReceiver();
    const events = await dayOfEvents(1200);
    const config = await enable(REPLICATOR, { host: `${receiver.url}/`, project_api_key: 'phc_other' });
    const job = await begin(config);
    await until(async () => expect(await jobRow(job)).toMatchObject({ status: 'Completed', progress: 1 }));
    expect(takenBy(receiver)).toEqual(idsOf(events));
    for (const { path, body } of receiver.requests) {
      expect(path).toBe('/batch/?ip=0');
      expect(JSON.parse(body)).toMatchObject({ api_key: 'phc_other', historical_migration: true });
    }
    expect(await jobRow(job)).toMatchObject({ total_events: 1200, delivered_events: 1200, failed_events: 0 });
    expect((await bench.metrics()).filter(({ job_id }) => job_id === job)).toEqual([
      expect.objectContaining({ category: 'exportEvents', successes: 1200, failures: 0 }),
    ]);
    expect(await jobActivities(config)).toEqual([
      {
        activity: 'export_success',
        detail: { trigger: { job_type: 'Export historical events V2', job_id: job, payload: {} } },
      },
    ]);
  });

  it('H3: a receiver that keeps failing ends it, with the reason', async () => {
    receiver = await newReceiver();
    receiver.behave({ answer: 503, body: 'closed for today' });
    await dayOfEvents(10);
    const config = await enable(WEBHOOK, { url: receiver.url });
    const job = await begin(config);
    await until(async () => expect(await jobRow(job)).toMatchObject({ status: 'Failed' }));
    const reason = expect.stringContaining('closed for today');
    expect(await jobRow(job)).toMatchObject({ failure_reason: reason, finished_at: expect.any(Date) });
    expect(await jobActivities(config)).toEqual([
      {
        activity: 'export_fail',
        detail: { trigger: expect.objectContaining({ job_id: job, payload: { failure_reason: reason } }) },
      },
    ]);
  });

  it('H1: of events sent one by one, those that were taken are not sent again, however few at a time', async () => {
    receiver = await newReceiver();
    let seen = 0;
    receiver.behave(() => ({ answer: ++seen % 3 === 0 ? 429 : 200 }));
    const events = await dayOfEvents(12);
    const config = await enable(WEBHOOK, { url: receiver.url, shape: 'single event' });
    const job = await begin(config);
    await until(async () => expect(await jobRow(job)).toMatchObject({ status: 'Completed' }));
    expect(takenBy(receiver)).toEqual(idsOf(events));
    for (const { key, uuids } of receiver.requests) expect([key]).toEqual(uuids);
    expect(await jobRow(job)).toMatchObject({ total_events: 12, delivered_events: 12, failed_events: 0 });
  });

  it('H3: it ends, and people are told, whatever characters the receiver answers with', async () => {
    receiver = await newReceiver();
    // The second half of the pair is beyond what is kept of an answer.
    receiver.behave({ answer: 503, body: `\0${'x'.repeat(221)}😀` });
    const events = await dayOfEvents(3);
    const config = await enable(WEBHOOK, { url: receiver.url });
    const job = await begin(config);
    await until(async () => expect(await jobRow(job)).toMatchObject({ status: 'Failed' }));
    expect(await jobActivities(config)).toHaveLength(1);
    await bench.capture(events);
    await until(async () => expect((await liveRow(config))?.failures).toBeGreaterThanOrEqual(6));
    const told = await bench.database.kysely
      .selectFrom('activity_log')
      .select('detail')
      .where('activity', '=', 'delivery_failing')
      .where('item_id', '=', String(config))
      .execute();
    expect(told).toHaveLength(1);
  });

  it('H3: turning the app off ends it', async () => {
    receiver = await newReceiver();
    receiver.behave('hang');
    await dayOfEvents(10);
    const config = await enable(WEBHOOK, { url: receiver.url });
    const job = await begin(config);
    await until(() => expect(receiver.requests.length).toBeGreaterThan(0));
    await bench.disable(config);
    await until(async () => expect(await jobRow(job)).toMatchObject({ status: 'Failed' }));
    expect(await jobActivities(config)).toHaveLength(1);
  });
});

describe('metrics', () => {
  const metric = { teamId: 1, pluginConfigId: 999_001, category: 'onEvent', jobId: '', error: null } as const;
  const note = (successes: number) =>
    bench.database.kysely
      .transaction()
      .execute((trx) =>
        noteMetric(trx, { ...metric, successes, successesOnRetry: 0, failures: 0 }, Date.now()),
      );
  const flushPorts = () => ({
    db: bench.database.kysely,
    warehouse: bench.warehouse,
    owner: 'one',
    onUnwritten: () => {},
    onStep: () => {},
  });
  const dies = () => {
    throw new Error('killed here');
  };
  const hurt = (what: () => Promise<unknown>) => expect(what()).rejects.toThrow();

  it('contract §12: once, wherever the process dies', async () => {
    await note(5);
    // Before the insert: the warehouse is away.
    const away = {
      ...bench.warehouse,
      rows: bench.warehouse.rows.bind(bench.warehouse),
      insert: async () => dies(),
    };
    await hurt(() => flushMetrics({ ...flushPorts(), warehouse: away }));
    // After it, before the note is deleted.
    await hurt(() => flushMetrics({ ...flushPorts(), onStep: dies }));
    await note(7);
    await flushMetrics(flushPorts());
    await bench.warehouse.command({ sql: 'OPTIMIZE TABLE app_metrics FINAL' });
    expect(await sumsOf(metric.pluginConfigId)).toMatchObject({ category: 'onEvent', successes: 12 });
  });

  it('contract §12: a run is counted once, also when the process died before it knew', async () => {
    const finishedAt = new Date();
    const exportId = crypto.randomUUID();
    const run = (status: string, rows: number | null) => ({
      id: crypto.randomUUID(),
      teamId: 1,
      exportId,
      status,
      finishedAt,
      rows,
    });
    const ended = [
      run('Completed', 12),
      run('Failed', null),
      run('FailedRetryable', 3),
      run('Cancelled', null),
    ];
    const ports = flushPorts();
    const next = async () => ended;
    await hurt(() => countRuns({ ...ports, runs: { next, counted: async () => dies() } }));
    const counted: string[] = [];
    await countRuns({ ...ports, runs: { next, counted: async (ids) => void counted.push(...ids) } });
    expect(counted).toEqual(ended.map(({ id }) => id));
    const rows = await bench.warehouse.rows({
      sql: `SELECT metric_kind AS kind, metric_name AS name, toUInt32(sum(count)) AS count, toUInt32(uniqExact(instance_id)) AS runs
            FROM app_metrics2 WHERE app_source = 'batch_export' AND app_source_id = {id:String} GROUP BY ALL ORDER BY kind`,
      params: { id: exportId },
    });
    expect(rows).toEqual([
      { kind: 'cancellation', name: 'canceled', count: 1, runs: 1 },
      { kind: 'failure', name: 'failed', count: 2, runs: 2 },
      { kind: 'rows', name: 'rows_exported', count: 12, runs: 1 },
      { kind: 'success', name: 'succeeded', count: 1, runs: 1 },
    ]);
  });

  it('contract §12: a run is counted once when two processes see it at once', async () => {
    const exportId = crypto.randomUUID();
    const finishedAt = new Date();
    const run = { id: crypto.randomUUID(), teamId: 1, exportId, status: 'Completed', finishedAt, rows: 12 };
    const inserting = Promise.withResolvers<void>();
    const mayInsert = Promise.withResolvers<void>();
    const slow = {
      rows: bench.warehouse.rows.bind(bench.warehouse),
      insert: async (insert: Insert) => {
        inserting.resolve();
        await mayInsert.promise;
        return bench.warehouse.insert(insert);
      },
    };
    let left = [run];
    const counted = async () => {
      left = [];
    };
    const ports = { ...flushPorts(), runs: { next: async () => left, counted } };
    const one = countRuns({ ...ports, warehouse: slow });
    await inserting.promise;
    expect(await countRuns({ ...ports, owner: 'two' })).toBe(false);
    mayInsert.resolve();
    await one;
    const [row] = await bench.warehouse.rows<{ count: number }>({
      sql: `SELECT toUInt32(sum(count)) AS count FROM app_metrics2
            WHERE app_source_id = {id:String} AND metric_name = 'rows_exported'`,
      params: { id: exportId },
    });
    expect(row?.count).toBe(12);
  });

  it('a warehouse that is only ours to read: said once, what is noted is kept for a day, and written once it may be', async () => {
    const { warehouse } = bench;
    let readonly = 1;
    const readOnly = {
      rows: warehouse.rows.bind(warehouse),
      insert: (insert: Insert) => warehouse.insert({ ...insert, settings: { ...insert.settings, readonly } }),
    };
    const warnings: string[] = [];
    const log = pino({ level: 'warn' }, { write: (line: string) => void warnings.push(line) });
    const pauses: number[] = [];
    const pluginConfigId = 999_002;
    const noteAt = (successes: number, at: number) =>
      bench.database.kysely
        .transaction()
        .execute((trx) =>
          noteMetric(trx, { ...metric, pluginConfigId, successes, successesOnRetry: 0, failures: 0 }, at),
        );
    await noteAt(1, Date.now() - 2 * DAY);
    await noteAt(2, Date.now());
    const writer = writeMetrics({
      ...flushPorts(),
      warehouse: readOnly,
      clock: {
        ...systemClock,
        sleep: (ms) => {
          pauses.push(ms);
          return pause(5);
        },
      },
      log,
      runs: { next: async () => [], counted: async () => {} },
    });
    const left = () => bench.database.kysely.selectFrom('app_metric_outbox').select('successes').execute();
    await until(async () => expect(await left()).toEqual([{ successes: 2 }]));
    await until(() => expect(pauses.filter((ms) => ms === 300_000).length).toBeGreaterThan(1));
    readonly = 0;
    await until(async () => expect(await left()).toEqual([]));
    await writer.stop();
    expect(await sumsOf(pluginConfigId)).toMatchObject({ successes: 2 });
    expect(warnings.map((line) => JSON.parse(line).err.code)).toEqual(['warehouse_denied']);
  });
});

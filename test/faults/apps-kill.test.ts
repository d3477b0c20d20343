import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type Received, type Receiver, startReceiver } from '../kit/receiver.ts';
import { type RunningSluice, startSluice } from '../kit/sluice.ts';
import { differences } from './check.ts';
import { makeEvents, type SentEvent, send } from './events.ts';
import { chooseSeed, LONG, seeded } from './random.ts';

/**
 * kill -9 in the middle of live delivery and of a historical export: nothing is lost, what is sent twice is the same batch
 * under the same key, and the metrics say what the receivers took.
 */
const KILLS = LONG ? 20 : 6;
const HISTORY = LONG ? 30_000 : 6_000;
/** Where it dies, in turn; null = anywhere. */
const STEPS = ['batch-sent', null, 'batch-ended', 'metrics-sent', 'batch-sending', 'batch-stored'];
const DAY = 86_400_000;
const lastWeek = (Math.floor(Date.now() / DAY) - 7) * DAY;

const dataDir = mkdtempSync(join(tmpdir(), 'sluice-apps-kill-'));
let sluice: RunningSluice;
let live: Receiver;
let archive: Receiver;

beforeAll(async () => {
  [sluice, live, archive] = await Promise.all([start(), startReceiver(), startReceiver()]);
});
afterAll(async () => {
  await sluice?.kill();
  await Promise.all([live?.close(), archive?.close()]);
  rmSync(dataDir, { recursive: true, force: true });
});

const project = () => `/api/projects/${sluice.ready.project_id}`;

async function enable(plugin: number, config: Record<string, unknown>): Promise<number> {
  const { status, body } = await sluice.api<{ id: number }>('POST', `${project()}/plugin_configs/`, {
    plugin,
    enabled: true,
    config,
  });
  expect(status).toBe(201);
  return body.id;
}

/** The server dies by its own hand the first to third time it comes to a step, or by ours at any moment; then it starts again. */
async function killAndRestart(random: () => number, number: number): Promise<void> {
  const died = new Promise<'died'>((resolve) => sluice.process.once('exit', () => resolve('died')));
  const step = STEPS[number % STEPS.length];
  if (step) {
    writeFileSync(crashPoint, `${step}:${1 + Math.floor(random() * 3)}`);
    expect(await Promise.race([died, pause(30_000, step)])).toBe('died');
  } else await pause(random() * 1_500);
  await sluice.kill();
  rmSync(crashPoint, { force: true });
  sluice = await start();
}

const crashPoint = join(dataDir, 'crash-point');
const start = () => startSluice({ dataDir, env: { SLUICE_TEST: '1', SLUICE_CRASH_AT: `@${crashPoint}` } });

interface Captured {
  readonly events: readonly SentEvent[];
  /** Uuids of events that were sent again because no acknowledgement came: they may be stored twice. */
  readonly repeated: ReadonlySet<string>;
}

/** One batch after the other, each until it is acknowledged, as PostHog's clients do. */
async function keepCapturing(random: () => number, enough: AbortSignal): Promise<Captured> {
  const events: SentEvent[] = [];
  const repeated = new Set<string>();
  while (!enough.aborted) {
    const now = Date.now();
    const batch = makeEvents(100, { start: new Date(now - 1_000), end: new Date(now) }, 100, random);
    while (!(await isStored(batch))) {
      for (const { uuid } of batch) repeated.add(uuid);
      await pause(50);
    }
    events.push(...batch);
    await pause(100);
  }
  return { events, repeated };
}

const isStored = (batch: readonly SentEvent[]): Promise<boolean> =>
  send(sluice.ready, batch).then(
    () => true,
    () => false,
  );

interface Totals {
  readonly successes: number;
  readonly successes_on_retry: number;
  readonly failures: number;
}

async function totals(config: number, query: string): Promise<Totals> {
  const { body } = await sluice.api<{ metrics: { totals: Totals } }>(
    'GET',
    `${project()}/app_metrics/${config}/?date_from=-1d&${query}`,
  );
  return body.metrics.totals;
}

const uuidsOf = (requests: readonly Received[]) => [...new Set(requests.flatMap(({ uuids }) => uuids))];

/**
 * Requests with the same key have the same events, and no event is under two keys; but for events that were captured
 * twice, whose second row the warehouse drops some day. Returns how many events the batches have together.
 */
function expectStableBatches(receiver: Receiver, repeated: ReadonlySet<string>): number {
  const once = (uuids: readonly string[]) => uuids.filter((uuid) => !repeated.has(uuid));
  const batches = new Map<string, readonly string[]>();
  for (const { key, uuids } of receiver.requests) {
    const known = batches.get(key);
    if (known) expect(once(uuids)).toEqual(once(known));
    batches.set(key, uuids);
  }
  const all = [...batches.values()].flatMap(once);
  expect(new Set(all).size).toBe(all.length);
  return [...batches.values()].flat().length;
}

it(`at least once, under the same keys, through ${KILLS} kills; metrics count once`, {
  timeout: KILLS * 30_000 + 60_000,
}, async () => {
  const seed = chooseSeed('apps and kills');
  const random = seeded(seed);
  const history = makeEvents(
    HISTORY,
    { start: new Date(lastWeek), end: new Date(lastWeek + DAY) },
    100,
    random,
  );
  for (let from = 0; from < HISTORY; from += 2_000) {
    await send(sluice.ready, history.slice(from, from + 2_000));
  }
  live.delay(20);
  archive.delay(40);
  const config = await enable(1, { url: `${live.url}/hook` });
  const other = await enable(2, { host: archive.url, project_api_key: 'phc_elsewhere' });
  const job = { type: 'Export historical events V2', operation: 'start' };
  const day = new Date(lastWeek).toISOString().slice(0, 10);
  const started = await sluice.api('POST', `${project()}/plugin_configs/${other}/job/`, {
    job: { ...job, payload: { dateRange: [day, day], parallelism: 2 } },
  });
  expect(started.status).toBe(200);

  const enough = new AbortController();
  const capturing = keepCapturing(seeded(seed + 1), enough.signal);
  for (let kill = 0; kill < KILLS; kill++) await killAndRestart(random, kill);
  enough.abort();
  const { events: sent, repeated } = await capturing;

  const wanted = sent.map(({ uuid }) => uuid);
  const past = history.map(({ uuid }) => uuid);
  await vi.waitFor(() => expect(differences(uuidsOf(live.taken()), wanted)).toEqual(NONE), WAIT);
  await vi.waitFor(
    () => expect(differences(uuidsOf(archive.taken()), [...past, ...wanted])).toEqual(NONE),
    WAIT,
  );
  const row = await vi.waitFor(async () => {
    const { body } = await sluice.api<{ results: { job_id: string; status: string }[] }>(
      'GET',
      `${project()}/app_metrics/${other}/historical_exports/`,
    );
    expect(body.results).toEqual([expect.objectContaining({ status: 'success' })]);
    return body.results[0];
  }, WAIT);
  // The replicator gets the live events, too; the job's are those of last week.
  const historical = archive.taken().filter(({ body }) => JSON.parse(body).historical_migration === true);
  expect(differences(uuidsOf(historical), past)).toEqual(NONE);
  const sum = ({ successes, successes_on_retry: retried }: Totals) => successes + retried;
  // A batch may still come that has nothing but second copies of events.
  await vi.waitFor(async () => {
    expect(sum(await totals(config, 'category=webhook'))).toBe(expectStableBatches(live, repeated));
    expect(sum(await totals(other, 'category=exportEvents'))).toBe(expectStableBatches(archive, repeated));
    expect(sum(await totals(other, `category=exportEvents&job_id=${row?.job_id}`))).toBe(HISTORY);
  }, WAIT);
  for (const id of [config, other]) expect((await totals(id, '')).failures).toBe(0);
  const again = live.requests.length + archive.requests.length - keys(live) - keys(archive);
  // Dying between the receiver's answer and the note of it is among the steps.
  expect(again).toBeGreaterThan(0);
  process.stdout.write(
    `${KILLS} kills, ${wanted.length} live and ${HISTORY} historical events, ${again} batches sent again\n`,
  );
});

const NONE = { missing: [], twice: [], strange: [] };
const WAIT = { timeout: 40_000, interval: 100 };
const keys = (receiver: Receiver) => new Set(receiver.requests.map(({ key }) => key)).size;

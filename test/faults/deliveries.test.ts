import { mkdirSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { sql } from 'kysely';
import pino from 'pino';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { openLogWriter } from '../../src/batch-exports/logs.ts';
import { createRunMonitor } from '../../src/batch-exports/runs/monitor.ts';
import { fixPlan } from '../../src/batch-exports/runs/plan.ts';
import { createRunService, type Runs, type RunsPorts } from '../../src/batch-exports/runs/start.ts';
import { systemClock } from '../../src/work/clock.ts';
import type { Queue } from '../../src/work/queue.ts';
import { type ServedBench, serveBench } from '../contract/batch-exports-kit.ts';
import { eventRow, HOUR, insertEvents, START } from '../engine/fixture.ts';
import { readEvents } from '../kit/duckdb.ts';
import { startTestWarehouse, type TestWarehouse } from '../kit/warehouse.ts';
import { differences } from './check.ts';
import { filesBelow, manifestAndFiles } from './destinations.ts';
import { chooseSeed, LONG, seeded } from './random.ts';

/**
 * anchors.md D.3, row 6, and the late rows of row 12: the real worker, ledger, planner, database and warehouse, twice, as two
 * processes; clock and queue are in the test's hand.
 */
const RUNS = LONG ? 300 : 24;
const seed = chooseSeed('deliveries');
const random = seeded(seed);

type Deliver = (runId: string, signal: AbortSignal) => Promise<void>;
interface Worker {
  readonly runs: Runs;
  readonly deliver: Deliver;
}

let bench: ServedBench;
let warehouse: TestWarehouse;
let workers: readonly [Worker, Worker];
let inFlight: number | null = null;
let passed = 0;
/** Runs begin when it is open. */
let gate = Promise.resolve();
beforeAll(async () => {
  [bench, warehouse] = await Promise.all([serveBench(), startTestWarehouse()]);
  workers = [await startWorker('one'), await startWorker('two')];
});
beforeEach(() => {
  inFlight = null;
});
afterAll(async () => {
  await Promise.all(workers.map(({ runs }) => runs.stop(1_000)));
  await warehouse?.close();
  await bench?.close();
});

/** Those that are alone take each other for dead, so that they take runs from each other. */
async function startWorker(workerName: string, alone = true): Promise<Worker> {
  const handlers: Deliver[] = [];
  const queue: Queue = {
    enqueue: async () => {},
    withoutJob: async (_, runIds) => [...runIds],
    work: async (_, handler) => void handlers.push(handler),
    stop: async () => {},
  };
  const clock = { now: bench.clock.now, sleep: systemClock.sleep };
  const ports: RunsPorts = {
    ...bench.ports,
    clock,
    queue,
    warehouse: warehouse.warehouse,
    log: pino({ level: 'silent' }),
    monitor: createRunMonitor(new Registry(), pino({ level: 'silent' })),
    random,
    retryMs: 1_000,
    logs: openLogWriter({ db: bench.db, clock, onError: () => {} }),
    spool: null,
    readBack: false,
    setup: async ({ snapshot }) => {
      await gate;
      return { ...snapshot.destination, config: snapshot.destination.config, integration: {} };
    },
    onStep: () => {},
    workerName,
    concurrency: 1,
    settleMs: () => 0,
    oldestInFlight: () => inFlight,
    onPassed: (ms) => {
      passed = Math.max(passed, ms);
    },
    alone,
  };
  const runs = createRunService(ports);
  await runs.start();
  const [deliver] = handlers;
  if (!deliver) throw new Error('the worker asked for no jobs');
  return { runs, deliver };
}

const never = () => new AbortController().signal;
const rowsOf = (id: string) =>
  bench.db
    .selectFrom('batch_export_runs')
    .selectAll()
    .where('batch_export_id', '=', id)
    .orderBy('data_interval_end')
    .orderBy('created_at')
    .execute();
const isActive = ({ status }: { status: string }) => status === 'Starting' || status === 'Running';

/** The schedule's runs, once there are `count`: the workers tick, too. */
async function untilThere(id: string, count: number) {
  return vi.waitFor(
    async () => {
      await bench.feature.tick(500);
      const runs = await rowsOf(id);
      expect(runs).toHaveLength(count);
      return runs;
    },
    { timeout: 20_000, interval: 50 },
  );
}

/** As the queue does: delivers until the run has ended, some deliveries doubled and all of them at once. */
async function deliverTwice(runId: string): Promise<void> {
  for (let turn = 0; turn < 20; turn++) {
    const [one, two] = workers;
    const deliveries = [one, one, two].map(async ({ deliver }) => {
      await pause(random() * 60);
      await deliver(runId, never());
    });
    await Promise.allSettled(deliveries);
    const run = await bench.db
      .selectFrom('batch_export_runs')
      .select('status')
      .where('id', '=', runId)
      .executeTakeFirstOrThrow();
    if (!isActive(run)) return;
  }
  throw new Error(`run ${runId} did not end`);
}

/** Events 0 to `count` of the hour from START + `hour` hours, by arrival. */
function arriving(hour: number, first: number, count: number) {
  return Array.from({ length: count }, (_, n) =>
    eventRow(first + n, { inserted_at: (START + hour * HOUR) * 1000 + (n + 1) * 1_000_000 }),
  );
}

async function createHourly(prefix: string, beginsAt: number): Promise<string> {
  bench.clock.set(new Date(beginsAt).toISOString());
  const destination = {
    type: 'Filesystem',
    config: { prefix, file_format: 'JSONLines', max_file_size_mb: 50 },
  };
  const { id } = await bench.create({ interval: 'hour', destination });
  return id as string;
}

const root = (prefix: string) => `${bench.ports.destinationPorts.filesRoot}/${prefix}`;
async function expectOnce(prefix: string, uuids: readonly string[]): Promise<void> {
  const read = (await readEvents(root(prefix))).map(({ uuid }) => uuid);
  expect(differences(read, uuids)).toEqual({ missing: [], twice: [], strange: [] });
  const { named, there } = manifestAndFiles(root(prefix), prefix);
  expect(named).toEqual(there);
  expect(filesBelow(root(prefix)).filter((path) => path.includes('.partial'))).toEqual([]);
}

it(`${RUNS} runs, each delivered three times at once to two workers: one outcome each (SLUICE_SEED=${seed})`, {
  timeout: LONG ? 1_200_000 : 120_000,
}, async () => {
  const events = Array.from({ length: RUNS }, (_, hour) => arriving(hour, hour * 100, 20)).flat();
  await insertEvents(warehouse.warehouse, bench.teamId, events);
  const id = await createHourly('twice', START + 1);
  bench.clock.set(new Date(START + RUNS * HOUR + 1).toISOString());
  const runs = await untilThere(id, RUNS);
  for (let at = 0; at < runs.length; at += 4) {
    await Promise.all(runs.slice(at, at + 4).map((run) => deliverTwice(run.id)));
  }
  const ended = await rowsOf(id);
  expect(ended.map(({ status, records_completed }) => [status, records_completed])).toEqual(
    ended.map(() => ['Completed', 20]),
  );
  expect(ended.some(({ attempt }) => attempt > 1)).toBe(true);
  await expectOnce(
    'twice',
    events.map(({ uuid }) => uuid),
  );
});

it('a run in progress is not taken from a process that lives', { timeout: 60_000 }, async () => {
  const [one, two] = [await startWorker('alive', false), await startWorker('other', false)];
  const begin = START + 5_000 * HOUR;
  const id = await createHourly('alive', begin + 1);
  bench.clock.set(new Date(begin + HOUR + 1).toISOString());
  const [run] = await untilThere(id, 1);
  const runId = run?.id ?? '';
  const opened = Promise.withResolvers<void>();
  gate = opened.promise;
  try {
    const handled = one.deliver(runId, never());
    await vi.waitFor(async () => expect((await rowsOf(id))[0]).toMatchObject({ attempt: 1 }));
    // Were it dead, this would be what is known of it.
    await bench.db
      .updateTable('batch_export_runs')
      .set({ seen_at: sql<Date>`now() - interval '1 hour'` })
      .where('id', '=', runId)
      .execute();
    const isSeen = sql<boolean>`seen_at > now() - interval '1 minute'`;
    await vi.waitFor(
      async () => {
        const query = bench.db
          .selectFrom('batch_export_runs')
          .select(isSeen.as('seen'))
          .where('id', '=', runId);
        expect(await query.executeTakeFirst()).toEqual({ seen: true });
      },
      { timeout: 20_000, interval: 50 },
    );
    bench.jobs.length = 0;
    await two.deliver(runId, never());
    expect(bench.jobs).toEqual([{ runId, startAfter: expect.any(Number) }]);
    opened.resolve();
    await handled;
    expect((await rowsOf(id)).map(({ attempt, status }) => [attempt, status])).toEqual([[1, 'Completed']]);
  } finally {
    opened.resolve();
    await Promise.all([one.runs.stop(1_000), two.runs.stop(1_000)]);
  }
});

it('late rows: above the watermark with the next run, below it with a retry, and an insert on its way is waited for', async () => {
  const begin = START + 10_000 * HOUR;
  const hour = (begin - START) / HOUR;
  const [early, next] = [arriving(hour, 900_000, 10), arriving(hour + 1, 900_100, 10)];
  // Stamped after the first interval's end, of an event long before.
  const late = arriving(hour + 1, 900_200, 5).map((row) => ({
    ...row,
    timestamp: (begin - 48 * HOUR) * 1000,
  }));
  await insertEvents(warehouse.warehouse, bench.teamId, early);
  const id = await createHourly('late', begin + 1);

  // Before the interval's end: what the watermark has passed once stays passed.
  inFlight = begin + HOUR - 5_000;
  bench.clock.set(new Date(begin + HOUR + 30_000).toISOString());
  const [first] = await untilThere(id, 1);
  await workers[0].deliver(first?.id ?? '', never());
  // Put off: rows of its interval may still come.
  expect((await rowsOf(id))[0]).toMatchObject({ status: 'Running', region: null });
  expect((await rowsOf(id))[0]?.next_attempt_at).not.toBeNull();
  inFlight = null;
  // What it reads next counts as read for whoever stamps new events, also when the clock is set back.
  expect(passed).toBe(begin + HOUR - 5_000);
  await workers[0].deliver(first?.id ?? '', never());
  await insertEvents(warehouse.warehouse, bench.teamId, [...next, ...late]);

  bench.clock.set(new Date(begin + 2 * HOUR + 1).toISOString());
  const [, second] = await untilThere(id, 2);
  await workers[1].deliver(second?.id ?? '', never());
  expect((await rowsOf(id)).map((run) => [run.status, run.records_completed])).toEqual([
    ['Completed', 10],
    ['Completed', 15],
  ]);
  const inTime = [...early, ...next, ...late].map(({ uuid }) => uuid);
  await expectOnce('late', inTime);

  // Below: somebody else's writer stored them with an arrival time that has been exported already.
  const below = arriving(hour, 900_300, 3);
  await insertEvents(warehouse.warehouse, bench.teamId, below);
  const retry = await bench.call('POST', `batch_exports/${id}/runs/${first?.id}/retry/`, {});
  expect(retry.status).toBe(201);
  const repeated = (await rowsOf(id)).find(isActive);
  await workers[0].deliver(repeated?.id ?? '', never());
  expect((await rowsOf(id)).filter(isActive)).toEqual([]);
  await expectOnce('late', [...inTime, ...below.map(({ uuid }) => uuid)]);
});

it('cancelled between two attempts: what the first one left and no ledger knows is removed', async () => {
  // The others would catch up with two years of intervals first.
  await bench.db.updateTable('batch_exports').set({ paused: true, next_due_at: null }).execute();
  const begin = START + 5_000 * HOUR;
  const id = await createHourly('left', begin + 1);
  bench.clock.set(new Date(begin + HOUR + 1).toISOString());
  const [run] = await untilThere(id, 1);
  const waiting = { status: 'Running', attempt: 1 };
  await bench.db.updateTable('batch_export_runs').set(waiting).where('batch_export_id', '=', id).execute();
  // What was never planned can have left nothing.
  await fixPlan(bench.db, { id: run?.id ?? '', attempt: 1 }, bench.clock.now());
  const name = `2027-06-12T08:00:00+00:00-2027-06-12T09:00:00+00:00-0.jsonl.${run?.id}`;
  mkdirSync(root('left'), { recursive: true });
  writeFileSync(`${root('left')}/.${name}.1.partial`, 'half a file');
  expect((await bench.call('POST', `batch_exports/${id}/runs/${run?.id}/cancel/`)).status).toBe(200);
  await workers[0].deliver(run?.id ?? '', never());
  expect(filesBelow(root('left'))).toEqual([]);
});

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { differences } from '../faults/check.ts';
import { send } from '../faults/events.ts';
import { chooseSeed, LONG, seeded } from '../faults/random.ts';
import { dataFiles, query } from '../kit/duckdb.ts';
import { SettableClock } from '../kit/settable-clock.ts';
import { type InProcess, type Json, startInProcess } from '../kit/sluice-in-process.ts';

/**
 * Live ∪ retries ∪ backfills = each event exactly once (design.md, "A run, precisely"), lived through the API on a
 * whole server: capture stamps the events, the tick, the worker and the engine do their work, DuckDB reads the files.
 */
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const SET_BACK_MS = 1_500;
const SEED = chooseSeed('the seam');

type Step =
  | { readonly do: 'wait'; readonly minutes: number }
  /** Event times in minutes from now: late, early, and in order. */
  | { readonly do: 'capture'; readonly minutes: readonly number[]; readonly twice: boolean }
  | { readonly do: 'settle' | 'pause' | 'break' | 'mend' }
  /** By less than a run waits for where it is. */
  | { readonly do: 'set back' }
  | { readonly do: 'unpause'; readonly backfill: boolean }
  | { readonly do: 'edit'; readonly interval: 'hour' | 'day' }
  /** The whole hour that began so many hours before the one in progress. */
  | { readonly do: 'backfill hour'; readonly ago: number }
  | { readonly do: 'backfill'; readonly from: number; readonly length: number }
  | { readonly do: 'retry' | 'cancel'; readonly which: number };

const captured = fc.record({
  do: fc.constant('capture' as const),
  minutes: fc.array(
    fc.oneof({ weight: 3, arbitrary: fc.integer({ min: -20, max: 0 }) }, fc.integer({ min: -400, max: 90 })),
    { minLength: 1, maxLength: 12 },
  ),
  twice: fc.boolean(),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('wait' as const), minutes: fc.integer({ min: 1, max: 130 }) }),
  },
  { weight: 6, arbitrary: captured },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('settle' as const, 'break' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('pause' as const, 'mend' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('set back' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('unpause' as const), backfill: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('backfill' as const),
      from: fc.integer({ min: 1, max: 400 }),
      length: fc.integer({ min: 1, max: 200 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('retry' as const, 'retry' as const, 'cancel' as const),
      which: fc.nat(20),
    }),
  },
);

const clock = new SettableClock('2026-01-01T10:20:00Z');
let sluice: InProcess;
beforeAll(async () => {
  sluice = await startInProcess(clock, { SLUICE_MAX_BACKFILLS: '100' });
});
afterAll(() => sluice?.stop());

let worlds = 0;

/** One export and its own events. */
class World {
  readonly #name = `world-${++worlds}`;
  readonly #sent: string[] = [];
  readonly #random: () => number;
  #id = '';

  constructor(seed: number) {
    this.#random = seeded(seed);
  }

  /** Events captured before there was an export belong to backfills alone. */
  async begin(before: readonly number[], paused: boolean, hoursBefore = 0): Promise<void> {
    clock.moveTo(Math.ceil(clock.now() / DAY) * DAY + 10 * HOUR + Math.floor(this.#random() * HOUR));
    await this.#capture(before, false);
    clock.advance(hoursBefore * HOUR);
    const { status, body } = await sluice.call('POST', 'batch_exports/', {
      name: this.#name,
      model: 'events',
      interval: 'hour',
      paused,
      destination: {
        type: 'Filesystem',
        config: {
          prefix: this.#name,
          file_format: 'Parquet',
          compression: 'zstd',
          include_events: [this.#name],
        },
      },
    });
    expect(status).toBe(201);
    this.#id = body.id;
  }

  /** A refusal (a conflict, a run that has ended) is a right answer; a failure of ours is not. */
  async apply(wanted: Step): Promise<void> {
    const status = await this.#do(wanted);
    expect(status, JSON.stringify(wanted)).toBeLessThan(500);
  }

  async #do(wanted: Step): Promise<number> {
    switch (wanted.do) {
      case 'wait':
        clock.advance(wanted.minutes * MINUTE);
        return 200;
      case 'set back':
        clock.advance(-SET_BACK_MS);
        return 200;
      case 'capture':
        await this.#capture(wanted.minutes, wanted.twice);
        return 200;
      case 'settle':
        await this.#settled();
        return 200;
      case 'pause':
        return this.#post('pause');
      case 'unpause':
        return this.#post('unpause', { backfill: wanted.backfill });
      case 'edit':
        return (await sluice.call('PATCH', `batch_exports/${this.#id}/`, { interval: wanted.interval }))
          .status;
      case 'backfill hour': {
        const start = (Math.floor(clock.now() / HOUR) - wanted.ago) * HOUR;
        return this.#post('backfills', { start_at: iso(start), end_at: iso(start + HOUR) });
      }
      case 'break':
        return this.#filters([{ type: 'hogql', key: 'nothing can evaluate this yet' }]);
      case 'mend':
        return this.#filters([]);
      case 'backfill': {
        const start = clock.now() - wanted.from * MINUTE;
        const end = Math.min(clock.now() - 1, start + wanted.length * MINUTE);
        return this.#post('backfills', { start_at: iso(start), end_at: iso(end) });
      }
      default: {
        const runs = await this.#runs();
        const run = runs[wanted.which % Math.max(1, runs.length)];
        return run ? this.#post(`runs/${run.id}/${wanted.do}`) : 200;
      }
    }
  }

  async #capture(minutes: readonly number[], twice: boolean): Promise<void> {
    if (minutes.length === 0) return;
    const events = minutes.map((offset) => ({
      event: this.#name,
      distinct_id: 'somebody',
      uuid: uuid(this.#random),
      timestamp: iso(clock.now() + offset * MINUTE),
      properties: {},
    }));
    this.#sent.push(...events.map((event) => event.uuid));
    const server = { url: sluice.url, project_api_key: sluice.projectApiKey };
    await send(server, twice ? [...events, ...events] : events);
  }

  /** Mends what is broken, repeats what failed and asks for all that happened: then everything must be there, once. */
  async end(retryFirst: boolean): Promise<void> {
    await this.#filters([]);
    await this.#settled();
    if (retryFirst) await this.#repeatAll();
    clock.moveTo(Math.ceil(clock.now() / DAY) * DAY + 3 * HOUR);
    await sluice.call('PATCH', `batch_exports/${this.#id}/`, { interval: 'day', paused: true });
    const today = Math.floor(clock.now() / DAY) * DAY;
    const range = { start_at: day(today - 2 * DAY), end_at: day(today) };
    expect(await this.#post('backfills', range)).toBe(201);
    await this.#settled();
    await this.#repeatAll();
    const directory = join(sluice.filesRoot, this.#name);
    const read =
      existsSync(directory) && dataFiles(directory).length > 0
        ? await query<{ uuid: string }>(`SELECT uuid FROM read_parquet('${directory}/**/*.parquet')`)
        : [];
    const found = differences(
      read.map((row) => row.uuid),
      this.#sent,
    );
    expect(found).toEqual({ missing: [], twice: [], strange: [] });
    const counted = (await this.#runs()).filter((run) => run.status === 'Completed');
    for (const run of counted) expect(run.records_total_count).toBe(run.records_completed);
    await sluice.call('DELETE', `batch_exports/${this.#id}/`);
  }

  async #repeatAll(): Promise<void> {
    for (const run of await this.#runs()) {
      if (!['Failed', 'FailedRetryable', 'Cancelled'].includes(run.status)) continue;
      await this.#post(`runs/${run.id}/retry`);
      await this.#settled();
    }
  }

  /** Rows of the first backfill. */
  async exported(): Promise<number> {
    const [backfill] = await sluice.all(`batch_exports/${this.#id}/backfills/`);
    const runs = (await this.#runs()).filter((run) => run.backfill === backfill.id);
    return runs.reduce((sum, run) => sum + run.records_completed, 0);
  }

  #settled(): Promise<void> {
    return vi.waitFor(
      async () => {
        const backfills = await sluice.all(`batch_exports/${this.#id}/backfills/`);
        const all = [...(await this.#runs()), ...backfills];
        expect(all.filter(({ status }) => ['Starting', 'Running'].includes(status))).toEqual([]);
      },
      { timeout: 40_000, interval: 25 },
    );
  }

  #runs(): Promise<Json[]> {
    return sluice.all(`batch_exports/${this.#id}/runs/?after=2020-01-01&before=2030-01-01`);
  }

  async #post(path: string, body?: unknown): Promise<number> {
    return (await sluice.call('POST', `batch_exports/${this.#id}/${path}/`, body)).status;
  }

  async #filters(filters: readonly unknown[]): Promise<number> {
    return (await sluice.call('PATCH', `batch_exports/${this.#id}/`, { filters })).status;
  }
}

const iso = (ms: number): string => new Date(ms).toISOString();
const day = (ms: number): string => iso(ms).slice(0, 10);

function uuid(random: () => number): string {
  const hex = Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16)).join('');
  return hex.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-4$3-8$4-$5');
}

const LATE = [-150, -90, -30, -5, 0];
const NOW = { do: 'capture', minutes: LATE, twice: false } as const;

it('pause, unpause with backfill, and the live runs before and after: events arrive in every phase', async () => {
  const world = new World(1);
  await world.begin(LATE, false);
  const steps: readonly Step[] = [
    NOW,
    { do: 'wait', minutes: 61 },
    NOW,
    { do: 'pause' },
    NOW,
    { do: 'wait', minutes: 125 },
    NOW,
    { do: 'unpause', backfill: true },
    NOW,
    { do: 'backfill', from: 200, length: 199 },
    NOW,
    { do: 'wait', minutes: 61 },
    NOW,
  ];
  for (const each of steps) await world.apply(each);
  await world.end(true);
});

it('a clock that is set back between the events and the backfill: its files have them, and the live run leaves them out', async () => {
  const world = new World(2);
  await world.begin([], true);
  const steps: readonly Step[] = [
    NOW,
    { do: 'set back' },
    { do: 'backfill', from: 200, length: 199 },
    { do: 'settle' },
    NOW,
    { do: 'unpause', backfill: false },
    { do: 'wait', minutes: 61 },
  ];
  for (const each of steps) await world.apply(each);
  expect(await world.exported()).toBe(LATE.length - 1);
  await world.end(true);
});

it('an edit and back brings a live run of an interval that a backfill delivered: neither loses its file', async () => {
  const world = new World(3);
  // They arrived in one hour; half of them happened in it.
  await world.begin([-400, -300, 0, 0], false, 2);
  const steps: readonly Step[] = [
    { do: 'backfill hour', ago: 2 },
    { do: 'settle' },
    { do: 'edit', interval: 'day' },
    { do: 'edit', interval: 'hour' },
    // The live runs of the morning are created by the tick.
    { do: 'wait', minutes: 61 },
    NOW,
  ];
  for (const each of steps) await world.apply(each);
  await world.end(true);
});

it('whatever happens, in the end each event is in the files once', { timeout: 3_600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: -400, max: 30 }), { maxLength: 8 }),
      fc.boolean(),
      fc.array(step, { minLength: 6, maxLength: 16, size: 'max' }),
      fc.boolean(),
      async (before, paused, steps, retryFirst) => {
        const world = new World(SEED + worlds);
        await world.begin(before, paused);
        for (const each of steps) await world.apply(each);
        await world.end(retryFirst);
      },
    ),
    { numRuns: LONG ? 300 : 5, seed: SEED, endOnFailure: true },
  );
});

import fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { tick } from '../../src/batch-exports/schedule/tick.ts';
import { type ServedBench, serveBench } from '../contract/batch-exports-kit.ts';
import { LONG } from './random.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
let bench: ServedBench;
beforeAll(async () => {
  bench = await serveBench();
});
afterAll(() => bench.close());
beforeEach(retireAll);

/** Exports of earlier cases must not tick along. */
async function retireAll(): Promise<void> {
  await bench.db
    .updateTable('batch_exports')
    .set({ deleted_at: new Date(0), next_due_at: null })
    .execute();
}

interface Interval {
  readonly start: number;
  readonly end: number;
}

/** The intervals of an export's live runs, in order. */
async function intervalsOf(id: string): Promise<Interval[]> {
  const rows = await bench.db
    .selectFrom('batch_export_runs')
    .select(['data_interval_start', 'data_interval_end'])
    .where('batch_export_id', '=', id)
    .where('backfill_id', 'is', null)
    .orderBy('data_interval_end')
    .execute();
  return rows.map((row) => ({
    start: row.data_interval_start?.getTime() ?? Number.NaN,
    end: row.data_interval_end.getTime(),
  }));
}

/** From `from` to `to` without gap or overlap, each once. */
function expectContiguous(intervals: readonly Interval[], from: number, to: number): void {
  let at = from;
  for (const { start, end } of intervals) {
    expect(new Date(start).toISOString()).toBe(new Date(at).toISOString());
    expect(end).toBeGreaterThan(start);
    at = end;
  }
  expect(new Date(at).toISOString()).toBe(new Date(to).toISOString());
}

/** Ticks until nothing is due any more. */
async function tickAll(): Promise<void> {
  while ((await bench.feature.tick(50)).created.length > 0);
}

/** A clock that shows another time each time it is looked at: it is set while a tick is going on. */
function jumping(times: readonly number[]): { now: () => number; latest: () => number } {
  let index = 0;
  let latest = Number.NEGATIVE_INFINITY;
  return {
    now: () => {
      const now = times[index++ % times.length] as number;
      latest = Math.max(latest, now);
      return now;
    },
    latest: () => latest,
  };
}

it('every interval has one run however the clock jumps, also in the middle of a tick', async () => {
  const begin = Date.parse('2026-03-10T10:20:00Z');
  const jump = fc.integer({ min: -30 * 24 * 60, max: 30 * 24 * 60 }).map((minutes) => minutes * MINUTE);
  const small = fc.integer({ min: -90, max: 180 }).map((minutes) => minutes * MINUTE);
  const ticks = fc.array(
    fc.array(fc.oneof({ weight: 4, arbitrary: small }, jump), { minLength: 1, maxLength: 4 }),
    {
      minLength: 1,
      maxLength: 6,
    },
  );
  await fc.assert(
    fc.asyncProperty(ticks, async (sequences) => {
      await retireAll();
      bench.clock.set(new Date(begin).toISOString());
      const { id } = await bench.create({ interval: 'hour' });
      let latest = begin;
      for (const offsets of sequences) {
        const clock = jumping(offsets.map((offset) => begin + offset));
        await tick({ ...bench.ports, clock: { ...bench.clock, now: clock.now } }, 3);
        latest = Math.max(latest, clock.latest());
        const soFar = await intervalsOf(id);
        const last = soFar.at(-1)?.end ?? begin - 20 * MINUTE;
        expectContiguous(soFar, begin - 20 * MINUTE, last);
        expect(last).toBeLessThanOrEqual(latest);
      }
      bench.clock.set(new Date(latest).toISOString());
      await tickAll();
      expectContiguous(await intervalsOf(id), begin - 20 * MINUTE, Math.floor(latest / HOUR) * HOUR);
    }),
    { numRuns: LONG ? 400 : 12 },
  );
});

it('asleep over ten intervals: ten runs, in order, and none for the one in progress', async () => {
  bench.clock.set('2026-03-10T10:20:00Z');
  const { id } = await bench.create({ interval: 'hour' });
  bench.clock.set('2026-03-10T20:00:01Z');
  const { created } = await bench.feature.tick(10);
  expect(created).toHaveLength(10);
  expectContiguous(
    await intervalsOf(id),
    Date.parse('2026-03-10T10:00:00Z'),
    Date.parse('2026-03-10T20:00:00Z'),
  );
  expect((await bench.feature.tick(10)).created).toEqual([]);
});

it('a process that wakes up beside others shares the intervals with them', async () => {
  bench.clock.set('2026-03-10T10:20:00Z');
  const { id } = await bench.create({ interval: 'every 5 minutes' });
  bench.clock.set('2026-03-11T10:20:00Z');
  await Promise.all(Array.from({ length: 4 }, () => tick(bench.ports, 5)));
  await tickAll();
  const intervals = await intervalsOf(id);
  expect(intervals).toHaveLength(288);
  expectContiguous(intervals, Date.parse('2026-03-10T10:20:00Z'), Date.parse('2026-03-11T10:20:00Z'));
});

describe('daylight saving', () => {
  // All the others: schedule.test.ts, without a database.
  const ZONES = ['Europe/Berlin', 'Australia/Lord_Howe', 'Africa/Casablanca'];
  const MORE = ['America/New_York', 'America/Sao_Paulo', 'Pacific/Apia', 'Asia/Kathmandu', 'UTC'];

  it.each(LONG ? [...ZONES, ...MORE] : ZONES)(
    '%s: a year of days, ticked at odd moments, is one run per local day',
    async (timezone) => {
      const first = Temporal.PlainDate.from('2025-12-31');
      const midnight = (days: number) =>
        first.add({ days }).toZonedDateTime(timezone).startOfDay().epochMilliseconds;
      bench.clock.set(new Date(midnight(0) + 5 * HOUR).toISOString());
      const { id } = await bench.create({ interval: 'day', timezone });
      for (let days = 1; days <= 366; days += 1 + (days % 5)) {
        bench.clock.set(new Date(midnight(days) + (days % 3) * 40 * MINUTE).toISOString());
        await bench.feature.tick(10);
      }
      bench.clock.set(new Date(midnight(367)).toISOString());
      await tickAll();
      const intervals = await intervalsOf(id);
      expect(intervals.map(({ start }) => start)).toEqual(
        Array.from({ length: 367 }, (_, day) => midnight(day)),
      );
      expectContiguous(intervals, midnight(0), midnight(367));
    },
  );
});

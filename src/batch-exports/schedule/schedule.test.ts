import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { INTERVALS, intervalContaining } from './intervals.ts';
import { dueAt, firstCursor, jitter, nextIntervals, type Schedule } from './schedule.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const NOW = Date.UTC(2026, 2, 1, 10, 20);
const schedule = (parts: Partial<Schedule> = {}): Schedule => ({
  exportId: '019a5b2e-6f7c-7000-8a41-6d1f9a2b7c10',
  interval: 'hour',
  timezone: 'UTC',
  offsetSeconds: null,
  startAt: null,
  endAt: null,
  ...parts,
});
const due = (s: Schedule, cursor: number, now: number, limit = 1000) =>
  nextIntervals(s, cursor, now, { limit, jitterScale: 0 });

describe('a new schedule', () => {
  it('has its first run at the end of the interval in progress', () => {
    const cursor = firstCursor(schedule(), NOW);
    expect(cursor).toBe(NOW - 20 * MINUTE);
    expect(dueAt(schedule(), cursor, 0)).toBe(NOW + 40 * MINUTE);
  });

  it.each([
    ['holds', 5 * HOUR + 10 * MINUTE, 5 * HOUR + 40 * MINUTE],
    ['ends at', 5 * HOUR + 40 * MINUTE, 5 * HOUR + 40 * MINUTE],
  ])('fires first when the interval that %s start_at ends', (_, startAfter, firesAfter) => {
    const s = schedule({ startAt: NOW + startAfter });
    expect(dueAt(s, firstCursor(s, NOW), 0)).toBe(NOW + firesAfter);
  });

  it('ignores a start_at in the past', () => {
    const s = schedule({ startAt: NOW - 1000 * HOUR });
    expect(firstCursor(s, NOW)).toBe(firstCursor(schedule(), NOW));
  });
});

describe('what is due', () => {
  it('is nothing before the interval has ended', () => {
    expect(due(schedule(), firstCursor(schedule(), NOW), NOW + 39 * MINUTE)).toEqual([]);
  });

  it('is every missed interval, in order, after downtime', () => {
    const cursor = firstCursor(schedule(), NOW);
    const intervals = due(schedule(), cursor, NOW + 40 * MINUTE + 99 * HOUR);
    expect(intervals.map((interval) => interval.start)).toEqual(
      Array.from({ length: 100 }, (_, i) => cursor + i * HOUR),
    );
  });

  it('is bounded by the limit', () => {
    expect(due(schedule(), 0, NOW, 7)).toHaveLength(7);
  });

  it('stops at end_at, which may still fire', () => {
    const s = schedule({ endAt: NOW + 2 * HOUR + 40 * MINUTE });
    const cursor = firstCursor(s, NOW);
    const intervals = due(s, cursor, NOW + 100 * HOUR);
    expect(intervals).toHaveLength(3);
    expect(dueAt(s, intervals.at(-1)?.end ?? 0, 0)).toBeNull();
  });

  it('is nothing when the clock goes backwards', () => {
    expect(due(schedule(), NOW, NOW - 1000 * HOUR)).toEqual([]);
  });
});

describe('jitter', () => {
  const longest = { hour: 15, day: 20, week: 30, 'every 5 minutes': 1, 'every 15 minutes': 3 };

  it.each(INTERVALS)(
    'S5: is the same each time, below its limit, and leaves the interval: %s',
    (interval) => {
      const ids = Array.from({ length: 200 }, (_, i) => `export-${i}`);
      const waits = ids.map((exportId) => {
        const s = schedule({ exportId, interval });
        const window = intervalContaining(s, NOW);
        expect(jitter(s, window, 1)).toBe(jitter(s, window, 1));
        expect(dueAt(s, window.start, 1)).toBe(window.end + jitter(s, window, 1));
        expect(jitter(s, window, 0)).toBe(0);
        return jitter(s, window, 1);
      });
      expect(Math.min(...waits)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...waits)).toBeLessThan(longest[interval] * MINUTE);
      expect(Math.max(...waits)).toBeGreaterThan(longest[interval] * MINUTE * 0.8);
    },
  );

  it('delays a run until end plus jitter', () => {
    const s = schedule();
    const cursor = firstCursor(s, NOW);
    const at = dueAt(s, cursor, 1) ?? 0;
    const options = { limit: 10, jitterScale: 1 };
    expect(nextIntervals(s, cursor, at - 1, options)).toEqual([]);
    expect(nextIntervals(s, cursor, at, options)).toHaveLength(1);
  });
});

it('S2: ticks at any moments, clock jumps included, give every interval once', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...INTERVALS),
      fc.array(fc.integer({ min: -5 * HOUR, max: 30 * HOUR }), { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 1, max: 50 }),
      (interval, jumps, limit) => {
        const s = schedule({ interval, timezone: 'Europe/Berlin' });
        const first = firstCursor(s, NOW);
        let cursor = first;
        let now = NOW;
        const runs = [];
        for (const jump of jumps) {
          now += jump;
          const intervals = nextIntervals(s, cursor, now, { limit, jitterScale: 1 });
          runs.push(...intervals);
          const after = intervals.at(-1)?.end ?? cursor;
          expect(after).toBeGreaterThanOrEqual(cursor);
          cursor = after;
        }
        for (const [i, run] of runs.entries()) expect(run.start).toBe(i === 0 ? first : runs[i - 1]?.end);
      },
    ),
  );
});

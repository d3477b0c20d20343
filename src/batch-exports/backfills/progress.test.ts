import { expect, it } from 'vitest';
import { progressOf } from './progress.ts';
import { backfillSteps } from './steps.ts';

/** contract.md §8.1 */
const HOUR = 3_600_000;
const at = (hours: number) => new Date(hours * HOUR);
const hourly = { interval: 'hour', timezone: 'UTC', offsetSeconds: null } as const;
const backfill = (changes: Partial<Parameters<typeof progressOf>[0]> = {}) => ({
  status: 'Completed',
  start_at: at(0),
  end_at: at(4),
  adjusted_start_at: null,
  next_interval_start: at(4),
  by_arrival: false,
  arrival_before: at(6),
  finished_at: at(5),
  total_records_count: 7,
  ...changes,
});
const of = (changes: Parameters<typeof backfill>[0], runs = { total: 3, finished: 1 }) =>
  progressOf(backfill(changes), hourly, runs, 6 * HOUR);

it.each<[string, Parameters<typeof backfill>[0], number]>([
  ['a range, whatever its schedule is now', {}, 3],
  ['a range without rows', { total_records_count: 0 }, 0],
  ['all of history', { start_at: null }, 1],
  ['all of history without rows', { start_at: null, total_records_count: 0 }, 1],
])('%s, Completed', (_, changes, total) => {
  expect(of(changes)).toEqual({ total_runs: total, finished_runs: total, progress: 1 });
});

it('a range at work', () => {
  const begun = { status: 'Running', next_interval_start: at(2) };
  expect(of(begun, { total: 2, finished: 1 })).toEqual({ total_runs: 4, finished_runs: 1, progress: 0.3 });
  expect(of({ ...begun, end_at: at(3.5) }, { total: 2, finished: 0 })).toMatchObject({ total_runs: 4 });
  const fresh = { ...begun, next_interval_start: null };
  expect(of(fresh, { total: 0, finished: 0 })).toMatchObject({ total_runs: 4 });
  expect(of({ ...fresh, adjusted_start_at: at(1) }, { total: 0, finished: 0 })).toMatchObject({
    total_runs: 3,
  });
  // A catch-up ends where the live runs go on, not at the moment it was asked for.
  const catchUp = { ...begun, by_arrival: true, arrival_before: at(4), end_at: at(4.5) };
  expect(of(catchUp, { total: 2, finished: 0 })).toMatchObject({ total_runs: 4 });
  expect(of({ status: 'Running', start_at: null })).toBeNull();
  expect(of({ status: 'Failed' })).toBeNull();
});

it.each([
  ['day', '2025-10-24T00:00+02:00', '2025-10-28T00:00+01:00', 4],
  ['day', '2025-10-24T00:00+02:00', '2025-10-27T12:00+01:00', 4],
  ['day', '2026-03-28T00:00+01:00', '2026-03-31T00:00+02:00', 3],
  ['week', '2025-10-19T00:00+02:00', '2025-11-02T00:00+01:00', 2],
  ['week', '2026-03-22T00:00+01:00', '2026-04-05T00:01+02:00', 3],
] as const)('counts each %s once when the clocks change: from %s to %s', (interval, from, to, total) => {
  const cadence = { interval, timezone: 'Europe/Berlin', offsetSeconds: null };
  const [start, end] = [new Date(from), new Date(to)];
  const row = backfill({ status: 'Running', start_at: start, end_at: end, next_interval_start: null });
  expect(progressOf(row, cadence, { total: 0, finished: 0 }, 0)?.total_runs).toBe(total);
  expect(backfillSteps(cadence, start.getTime(), end.getTime(), 99)).toHaveLength(total);
});

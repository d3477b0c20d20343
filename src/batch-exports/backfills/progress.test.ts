import { expect, it } from 'vitest';
import { progressOf } from './progress.ts';

/** contract.md §8.1 */
const HOUR = 3_600_000;
const at = (hours: number) => new Date(hours * HOUR);
const backfill = (changes: Partial<Parameters<typeof progressOf>[0]> = {}) => ({
  status: 'Completed',
  start_at: at(0),
  end_at: at(4),
  adjusted_start_at: null,
  finished_at: at(5),
  total_records_count: 7,
  ...changes,
});
const of = (changes: Parameters<typeof backfill>[0]) =>
  progressOf(backfill(changes), 'hour', { total: 9, finished: 1 }, 6 * HOUR);

it.each<[string, Parameters<typeof backfill>[0], number]>([
  ['a range', {}, 4],
  ['a range that begins with its first row', { adjusted_start_at: at(1) }, 3],
  ['a range without rows', { total_records_count: 0 }, 0],
  ['all of history', { start_at: null }, 1],
  ['all of history without rows', { start_at: null, total_records_count: 0 }, 1],
])('%s, Completed', (_, changes, total) => {
  expect(of(changes)).toEqual({ total_runs: total, finished_runs: total, progress: 1 });
});

it('a range at work', () => {
  expect(of({ status: 'Running' })).toEqual({ total_runs: 4, finished_runs: 1, progress: 0.3 });
  expect(of({ status: 'Running', start_at: null })).toBeNull();
  expect(of({ status: 'Failed' })).toBeNull();
});

import { expect, it } from 'vitest';
import { problemsOf, type TourRun } from './verdict.ts';

const END = new Date('2026-03-02T00:00:00Z');
const run = (hour: number, rows = 10): TourRun => ({
  backfill: 'a backfill',
  data_interval_start: new Date(END.getTime() - (24 - hour) * 3_600_000).toISOString(),
  status: 'Completed',
  records_completed: rows,
  records_total_count: rows,
  bytes_exported: 1,
  latest_error: null,
});
const hours = (from: number) => Array.from({ length: 24 - from }, (_, n) => run(from + n));
const read = (rows: number) => ({ rows, distinctUuids: rows });

it('a day whose first hours are empty adds up', () => {
  expect(problemsOf(240, END, hours(0), read(240))).toEqual([]);
  expect(problemsOf(190, END, hours(5), read(190))).toEqual([]);
  const ofSchedule = { ...run(0, 20), backfill: null, data_interval_start: END.toISOString() };
  expect(problemsOf(210, END, [...hours(5), ofSchedule], read(210))).toEqual([]);
});

it('tells an hour without a run, and every count that differs', () => {
  expect(problemsOf(230, END, hours(0).toSpliced(3, 1), read(230))).toEqual(['23 runs instead of 24']);
  expect(problemsOf(5, END, [], read(0))).toHaveLength(5);
  expect(problemsOf(240, END, hours(0), { rows: 240, distinctUuids: 239 })).toEqual([
    '239 different events read back, expected 240 events',
  ]);
  const failed = { ...run(23), status: 'Failed', latest_error: 'why' };
  expect(problemsOf(240, END, [...hours(0).slice(0, -1), failed], read(240))).toEqual([
    'a run is Failed: why',
  ]);
  const stuck = { ...run(23), status: 'Running', latest_error: 'The disk is full.' };
  expect(problemsOf(240, END, [...hours(0).slice(0, -1), stuck], read(240))).toEqual([
    'a run does not end: The disk is full.',
  ]);
});

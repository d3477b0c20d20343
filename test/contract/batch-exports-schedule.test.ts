import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { pauseExport } from '../../src/batch-exports/pausing.ts';
import { newestRead } from '../../src/batch-exports/schedule/newest-read.ts';
import { setSchedulesRight } from '../../src/batch-exports/schedule/set-right.ts';
import { tick } from '../../src/batch-exports/schedule/tick.ts';
import { createExport } from '../../src/batch-exports/service.ts';
import { warnOfClock } from '../../src/composition/clock-behind.ts';
import type { Query } from '../../src/warehouse/warehouse.ts';
import { type ServedBench, serveBench, toFiles } from './batch-exports-kit.ts';

/** docs/state-machines.md, "Schedule", on the real tables. */
const HOUR = 3_600_000;
let bench: ServedBench;
beforeAll(async () => {
  bench = await serveBench();
});
afterAll(() => bench.close());
beforeEach(async () => {
  await bench.db.updateTable('batch_exports').set({ deleted_at: new Date(), next_due_at: null }).execute();
  bench.clock.set('2026-03-10T10:20:00Z');
});

const rowOf = (id: string) =>
  bench.db.selectFrom('batch_exports').selectAll().where('id', '=', id).executeTakeFirstOrThrow();

const HOURS_OF_MARCH_10 = Array.from({ length: 24 }, (_, hour) => {
  const [from, to] = [hour, hour + 1].map((n) =>
    new Date(Date.UTC(2026, 2, 10, n)).toISOString().slice(5, 16),
  );
  return `${from} ${to}`;
});

async function intervalsOf(id: string): Promise<string[]> {
  const rows = await bench.db
    .selectFrom('batch_export_runs')
    .select(['data_interval_start', 'data_interval_end'])
    .where('batch_export_id', '=', id)
    .where('backfill_id', 'is', null)
    .orderBy('data_interval_end')
    .execute();
  const short = (date: Date | null) => date?.toISOString().slice(5, 16);
  return rows.map((row) => `${short(row.data_interval_start)} ${short(row.data_interval_end)}`);
}

it('S2: the first run comes at the end of the interval in progress, with its job', async () => {
  const { id } = await bench.create();
  const due = Date.parse('2026-03-10T11:00:00Z');
  bench.clock.set('2026-03-10T10:59:59.999Z');
  expect(await bench.feature.tick(10)).toEqual({ created: [], nextDueAt: due });
  bench.clock.set('2026-03-10T11:00:00Z');
  const { created, nextDueAt } = await bench.feature.tick(10);
  expect(nextDueAt).toBe(due + HOUR);
  expect(bench.jobs.at(-1)).toEqual({ runId: created[0], startAfter: undefined });
  expect(await intervalsOf(id)).toEqual(['03-10T10:00 03-10T11:00']);
});

it('up to when runs may have read: the newest live run or the moment a backfill was asked for, not a start to come', async () => {
  const read = async () => new Date(await newestRead(bench.db, bench.clock)).toISOString();
  bench.clock.set('2027-05-10T10:20:00Z');
  expect(await newestRead(bench.db, bench.clock)).toBeLessThan(Date.parse('2027-05-01'));
  const { id } = await bench.create({ start_at: '2027-05-10T18:00:00Z' });
  expect(await newestRead(bench.db, bench.clock)).toBeLessThan(Date.parse('2027-05-01'));
  bench.clock.set('2027-05-10T19:20:00Z');
  await bench.feature.tick(10);
  // An hour that the clock was ahead, and a restart after it was set back.
  bench.clock.set('2027-05-10T18:20:00Z');
  expect(await read()).toBe('2027-05-10T19:00:00.000Z');
  bench.clock.set('2027-05-10T19:30:00Z');
  const range = { start_at: '2027-05-10T18:00:00Z', end_at: '2027-05-10T19:00:00Z' };
  expect((await bench.call('POST', `batch_exports/${id}/backfills/`, range)).status).toBe(201);
  expect(await read()).toBe('2027-05-10T19:30:00.001Z');
  // Rows that a clock of another year left behind count for nothing.
  bench.clock.set('2026-03-10T10:20:00Z');
  expect(await newestRead(bench.db, bench.clock)).toBeLessThan(Date.parse('2026-03-11'));
});

describe('a clock that was days ahead, set right before a start', () => {
  const runsOf = (id: string) =>
    bench.db.selectFrom('batch_export_runs').selectAll().where('batch_export_id', '=', id).execute();
  const endAll = async (id: string, rows: (start: string) => number = () => 0) => {
    for (const run of await runsOf(id)) {
      const records_completed = rows(run.data_interval_start?.toISOString().slice(5, 13) ?? '');
      const ended = { status: 'Completed', finished_at: new Date(bench.clock.now()), records_completed };
      await bench.db.updateTable('batch_export_runs').set(ended).where('id', '=', run.id).execute();
    }
  };
  const warnings = async (id: string): Promise<string[]> =>
    (await bench.call('GET', `batch_exports/${id}/logs?level=WARNING`)).body.results
      .map((line: { message: string }) => line.message)
      .filter((message: string) => message.startsWith('The clock was ahead'));

  it('the empty runs of intervals to come are removed, and the schedule goes on from now', async () => {
    const { id } = await bench.create();
    bench.clock.set('2026-03-13T10:20:00Z');
    await bench.feature.tick(50);
    // What was captured before, and while, the clock was ahead.
    await endAll(id, (start) => (['03-10T10', '03-12T20'].includes(start) ? 3 : 0));
    bench.clock.set('2026-03-10T10:30:00Z');
    expect(await setSchedulesRight(bench.ports)).toBe(70);
    expect(await intervalsOf(id)).toEqual(['03-10T10:00 03-10T11:00', '03-12T20:00 03-12T21:00']);
    expect(await rowOf(id)).toMatchObject({
      next_interval_start: new Date('2026-03-10T11:00:00Z'),
      next_due_at: new Date('2026-03-10T12:00:00Z'),
    });
    // Events are stamped after the interval in progress, which has delivered rows.
    expect(new Date(await newestRead(bench.db, bench.clock)).toISOString()).toBe('2026-03-10T11:00:00.000Z');
    expect(await warnings(id)).toEqual([
      expect.stringContaining(
        '70 empty runs of intervals that have not ended (2026-03-10T11:00:00.000Z to 2026-03-13T10',
      ),
    ]);
    expect(await setSchedulesRight(bench.ports)).toBe(0);
    expect(await warnings(id)).toHaveLength(1);
    // Each of them gets its run when it has ended.
    bench.clock.set('2026-03-13T11:20:00Z');
    await bench.feature.tick(50);
    const intervals = await intervalsOf(id);
    expect([intervals.length, new Set(intervals).size]).toEqual([73, 73]);
  });

  it('that may as well be behind now: a start says so while something delivered lies ahead', async () => {
    const { id } = await bench.create();
    bench.clock.set('2026-03-13T10:20:00Z');
    await bench.feature.tick(100);
    await endAll(id, (start) => (start === '03-13T09' ? 3 : 0));
    const told: [Record<string, Date>, string][] = [];
    const start = async (server: string | null) => {
      told.length = 0;
      const now = Date.parse(server ?? '');
      const rows = async ({ sql }: Query) => (sql.includes('FROM events') ? [{ micros: null }] : [{ now }]);
      const log = { warn: (fields: never, words: string) => void told.push([fields, words]) };
      const warehouse = { rows: rows as never, localFiles: server === null };
      await warnOfClock({ db: bench.db, warehouse, clock: bench.clock, log: log as never });
      return told.map(([, words]) => words.slice(0, 60));
    };
    expect(await start(null)).toEqual([]);
    bench.clock.set('2026-03-10T10:30:00Z');
    const ahead = expect.stringContaining('Events or exported intervals lie');
    expect(await start(null)).toEqual([ahead]);
    expect(told[0]?.[0].newest).toEqual(new Date('2026-03-13T10:00:00Z'));
    expect(await start('2026-03-10T10:31:00Z')).toEqual([ahead]);
    expect(await start('2026-03-13T10:31:00Z')).toEqual([
      expect.stringMatching(/^The clock.* behind/),
      ahead,
    ]);
  });

  it('a week in progress, too, when it is empty; what somebody repeats, or has yet to run, stays', async () => {
    const { id } = await bench.create({ interval: 'week' });
    bench.clock.set('2026-03-30T10:20:00Z');
    await bench.feature.tick(50);
    const [first, second, third] = await runsOf(id);
    await endAll(id);
    await bench.db
      .updateTable('batch_export_runs')
      .set({ status: 'Starting' })
      .where('id', '=', third?.id ?? '')
      .execute();
    expect((await bench.call('POST', `batch_exports/${id}/runs/${second?.id}/retry`)).status).toBe(201);
    bench.clock.set('2026-03-10T10:30:00Z');
    expect(await setSchedulesRight(bench.ports)).toBe(1);
    const left = (await runsOf(id)).filter((run) => run.backfill_id === null).map((run) => run.id);
    expect(left.toSorted()).toEqual([second?.id, third?.id].toSorted());
    expect(left).not.toContain(first?.id);
    expect((await rowOf(id)).next_interval_start).toEqual(new Date('2026-03-08T00:00:00Z'));
  });

  it('a gap that a pause left stays one; a schedule that waits for its start_at and an export younger than the clock are left alone', async () => {
    const waiting = await bench.create({ start_at: '2026-06-01T00:00:00Z' });
    const { id } = await bench.create();
    bench.clock.set('2026-03-11T10:20:00Z');
    await bench.call('POST', `batch_exports/${id}/pause`);
    bench.clock.set('2026-03-14T10:20:00Z');
    await bench.call('POST', `batch_exports/${id}/unpause`);
    await endAll(id);
    bench.clock.set('2026-03-10T10:30:00Z');
    expect(await setSchedulesRight(bench.ports)).toBe(0);
    bench.clock.set('2026-03-14T15:20:00Z');
    await bench.feature.tick(50);
    await endAll(id);
    bench.clock.set('2026-03-10T10:10:00Z');
    expect(await setSchedulesRight(bench.ports)).toBe(0);
    bench.clock.set('2026-03-10T10:30:00Z');
    expect(await setSchedulesRight(bench.ports)).toBe(5);
    expect((await rowOf(id)).next_interval_start).toEqual(new Date('2026-03-14T10:00:00Z'));
    expect((await rowOf(waiting.id)).next_interval_start).toEqual(new Date('2026-05-31T23:00:00Z'));
  });
});

it('S2: every missed interval has one run, for any number of processes', async () => {
  const { id } = await bench.create({ interval: 'every 5 minutes' });
  bench.clock.advance(5 * 24 * HOUR);
  const before = bench.jobs.length;
  const ticked = await Promise.all(Array.from({ length: 4 }, () => tick(bench.ports, 10)));
  expect(ticked.flatMap((one) => one.created)).toHaveLength(5 * 288);
  const intervals = await intervalsOf(id);
  expect(new Set(intervals).size).toBe(5 * 288);
  expect(new Set(bench.jobs.slice(before).map((job) => job.runId)).size).toBe(5 * 288);
  const [first, last] = [intervals[0], intervals.at(-1)];
  expect([first, last]).toEqual(['03-10T10:20 03-10T10:25', '03-15T10:15 03-15T10:20']);
});

it('S2: a job exists exactly when its run does', async () => {
  const failing = await bench.create();
  bench.clock.advance(HOUR);
  const ports = { ...bench.ports, enqueue: () => Promise.reject(new Error('the queue is gone')) };
  await expect(tick(ports, 10)).rejects.toThrow('the queue is gone');
  expect(await intervalsOf(failing.id)).toEqual([]);
  await bench.feature.tick(10);
  expect(await intervalsOf(failing.id)).toHaveLength(1);
});

it('S3: a clock that goes back creates nothing and moves nothing', async () => {
  const { id } = await bench.create();
  bench.clock.advance(3 * HOUR);
  await bench.feature.tick(10);
  const before = await rowOf(id);
  bench.clock.advance(-48 * HOUR);
  expect((await bench.feature.tick(10)).created).toEqual([]);
  expect(await rowOf(id)).toEqual(before);
});

it('S4: none while paused; unpausing resumes at the interval in progress', async () => {
  const { id } = await bench.create();
  bench.clock.set('2026-03-10T12:05:00Z');
  await bench.call('POST', `batch_exports/${id}/pause`);
  expect(await intervalsOf(id)).toEqual(['03-10T10:00 03-10T11:00', '03-10T11:00 03-10T12:00']);
  bench.clock.set('2026-03-10T17:40:00Z');
  expect(await bench.feature.tick(10)).toEqual({ created: [], nextDueAt: null });
  await bench.call('POST', `batch_exports/${id}/unpause`);
  bench.clock.set('2026-03-10T18:00:00Z');
  await bench.feature.tick(10);
  expect((await intervalsOf(id)).slice(2)).toEqual(['03-10T17:00 03-10T18:00']);
});

it('bounds: nothing before start_at, nothing after end_at, and an edit goes on', async () => {
  const { id } = await bench.create({ start_at: '2026-03-10T13:30:00Z', end_at: '2026-03-10T15:00:00Z' });
  bench.clock.set('2026-03-10T20:10:00Z');
  expect((await bench.feature.tick(10)).nextDueAt).toBeNull();
  const bounded = ['03-10T13:00 03-10T14:00', '03-10T14:00 03-10T15:00'];
  expect(await intervalsOf(id)).toEqual(bounded);
  await bench.call('PATCH', `batch_exports/${id}`, { end_at: null });
  bench.clock.set('2026-03-10T21:00:00Z');
  await bench.feature.tick(10);
  expect(await intervalsOf(id)).toEqual([...bounded, '03-10T20:00 03-10T21:00']);
});

it('a start_at that moves from the future to the past begins now', async () => {
  const { id } = await bench.create({ start_at: '2027-01-01T00:00:00Z' });
  await bench.call('PATCH', `batch_exports/${id}`, { start_at: '2026-01-01T00:00:00Z' });
  expect((await rowOf(id)).next_due_at).toEqual(new Date('2026-03-10T11:00:00Z'));
});

it.each([
  ['hour', '9999-12-31T23:59:59Z'],
  ['day', '9999-12-31T12:00:00Z'],
  ['week', '9999-12-31'],
])('%s: a start_at that stands for never is one', async (interval, start_at) => {
  const { id } = await bench.create({ interval, start_at });
  expect((await rowOf(id)).next_due_at).toBeNull();
  expect((await bench.call('PATCH', `batch_exports/${id}`, { start_at: null })).status).toBe(200);
  expect((await rowOf(id)).next_due_at).not.toBeNull();
  expect((await bench.call('PATCH', `batch_exports/${id}`, { start_at })).status).toBe(200);
  bench.clock.advance(30 * 24 * HOUR);
  await bench.feature.tick(10);
  expect((await rowOf(id)).next_due_at).toBeNull();
});

it.each([
  [
    'hour to day takes the whole day',
    { interval: 'hour' },
    { interval: 'day' },
    ['03-10T10:00 03-10T11:00', '03-10T00:00 03-11T00:00'],
  ],
  ['day to hour leaves no hour out', { interval: 'day' }, { interval: 'hour' }, HOURS_OF_MARCH_10],
  ['day to another zone', { interval: 'day' }, { timezone: 'Asia/Tokyo' }, ['03-09T15:00 03-10T15:00']],
])('edit: %s', async (_, before, change, expected) => {
  const { id } = await bench.create(before);
  bench.clock.set('2026-03-10T11:20:00Z');
  await bench.call('PATCH', `batch_exports/${id}`, change);
  bench.clock.set('2026-03-11T00:00:00Z');
  await bench.feature.tick(10);
  expect(await intervalsOf(id)).toEqual(expect.arrayContaining(expected));
});

it('edit: intervals by the calendar need a zone; one of an earlier version that is none is told, and can be replaced', async () => {
  const { id } = await bench.create();
  await bench.db.updateTable('batch_exports').set({ timezone: 'PST' }).where('id', '=', id).execute();
  const patch = (change: object) => bench.call('PATCH', `batch_exports/${id}`, change);
  expect((await patch({ name: 'still hourly' })).status).toBe(200);
  const { status, body } = await patch({ interval: 'day' });
  expect([status, body.code, body.attr]).toEqual([400, 'invalid_choice', 'timezone']);
  expect((await patch({ interval: 'day', timezone: 'America/Los_Angeles' })).status).toBe(200);
});

it('S5: jitter delays the run and keeps its interval', async () => {
  const ports = { ...bench.ports, jitterScale: 1 };
  const actor = { userId: 1, teamId: bench.teamId, organizationId: bench.organizationId };
  const { id, next_due_at: due } = await createExport(ports, actor, toFiles() as never);
  const end = Date.parse('2026-03-10T11:00:00Z');
  const wait = (due?.getTime() ?? 0) - end;
  expect(wait).toBeGreaterThan(0);
  expect(wait).toBeLessThan(15 * 60_000);
  bench.clock.advance(end - bench.clock.now() + wait - 1);
  expect((await tick(ports, 10)).created).toEqual([]);
  bench.clock.advance(1);
  expect((await tick(ports, 10)).created).toHaveLength(1);
  expect(await intervalsOf(id)).toEqual(['03-10T10:00 03-10T11:00']);
});

it('S2: a pause leaves out no interval that has ended and waits for its jitter', async () => {
  const ports = { ...bench.ports, jitterScale: 1 };
  const actor = { userId: 1, teamId: bench.teamId, organizationId: bench.organizationId };
  const { id } = await createExport(ports, actor, toFiles() as never);
  bench.clock.set('2026-03-10T11:00:00Z');
  expect((await tick(ports, 10)).created).toEqual([]);
  await pauseExport(ports, actor, id);
  expect(await intervalsOf(id)).toEqual(['03-10T10:00 03-10T11:00']);
});

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { finishRun } from '../../src/batch-exports/runs/finish.ts';
import { fixPlan } from '../../src/batch-exports/runs/plan.ts';
import { claimRun, setProgress } from '../../src/batch-exports/runs/store.ts';
import { newestRead } from '../../src/batch-exports/schedule/newest-read.ts';
import { type Json, type ServedBench, serveBench } from './batch-exports-kit.ts';

/** contract.md §8 over HTTP. */
const HOUR = 3_600_000;
let bench: ServedBench;
/** How often the warehouse was asked what a range holds. */
let estimates = 0;
/** Before when it was asked for what had arrived, the last time. */
let estimatedBefore = 0;
/** By how much the newest arrival stamp is ahead of the clock, milliseconds. */
let stampsAhead = 0;
beforeAll(async () => {
  bench = await serveBench({
    estimate: async (_, { arrivalBefore }) => {
      estimates++;
      estimatedBefore = arrivalBefore;
      return null;
    },
    arrivedBefore: async () => bench.clock.now() + stampsAhead + 1,
  });
});
afterAll(() => bench.close());
beforeEach(async () => {
  bench.clock.set('2026-03-10T10:20:00Z');
  stampsAhead = 0;
  await bench.db
    .updateTable('batch_export_backfills')
    .set({ status: 'Cancelled' })
    .where('status', 'in', ['Starting', 'Running'])
    .execute();
});

const start = (id: string, start_at: unknown, end_at: unknown) =>
  bench.call('POST', `batch_exports/${id}/backfills/`, { start_at, end_at });
const get = async (id: string, backfill: string) =>
  (await bench.call('GET', `batch_exports/${id}/backfills/${backfill}`)).body;
const runsOf = async (id: string): Promise<Json[]> =>
  (await bench.call('GET', `batch_exports/${id}/runs?ordering=data_interval_start&start=2020-01-01`)).body
    .results;

type Status = 'Completed' | 'Failed' | 'FailedRetryable';

/** Ends all active runs of an export as given; tells how many there were. */
async function finishActive(id: string, status: Status): Promise<number> {
  const active = (await runsOf(id)).filter((run) => run.status === 'Starting');
  for (const run of active) await finish(run.id, status);
  return active.length;
}

async function finish(runId: string, status: Status): Promise<void> {
  const now = bench.clock.now();
  const claim = await claimRun(bench.db, { runId, worker: 'w', now });
  if (!claim) throw new Error('nothing to claim');
  await fixPlan(bench.db, claim, now);
  await setProgress(bench.db, claim, { rows: 2, bytes: 1 }, now);
  const rows = { rows: 2, fingerprint: null };
  const outcome = {
    files: [],
    rows: 2,
    bytes: 1,
    cleaned: 0,
    proof: { source: rows, written: rows, reread: rows },
  };
  const ending = status === 'Completed' ? { status, outcome } : { status, error: 'no' };
  await finishRun(bench.ports, claim, ending);
}

describe('a backfill', () => {
  it('takes what had arrived, also by stamps that are ahead of the clock, and no later stamp lies below', async () => {
    const { id } = await bench.create();
    stampsAhead = HOUR;
    const { body } = await start(id, '2026-03-01T00:00:00Z', '2026-03-01T01:00:00Z');
    const before = Date.parse('2026-03-10T11:20:00.001Z');
    expect(estimatedBefore).toBe(before);
    const [run] = await runsOf(id);
    const claim = await claimRun(bench.db, { runId: run.id, worker: 'w', now: bench.clock.now() });
    expect(claim?.readableFrom).toBe(before);
    expect(await newestRead(bench.db, bench.clock)).toBe(before);
    // Of one that goes by arrival this is where it ends, which may be a schedule that has yet to begin.
    await bench.db
      .updateTable('batch_export_backfills')
      .set({ by_arrival: true })
      .where('id', '=', body.backfill_id)
      .execute();
    expect(await newestRead(bench.db, bench.clock)).toBe(bench.clock.now() + 1);
    await bench.db
      .updateTable('batch_export_backfills')
      .set({ by_arrival: false })
      .where('id', '=', body.backfill_id)
      .execute();
    // A day ahead and more is what a wrong clock told.
    bench.clock.set('2026-03-09T11:00:00Z');
    expect(await newestRead(bench.db, bench.clock)).toBeLessThan(before);
  });

  it('runs its intervals in order, two at a time, and counts its rows', async () => {
    const { id } = await bench.create();
    const { status, body } = await start(id, '2026-03-01T00:00:00Z', '2026-03-01T05:00:00+00:00');
    expect(status).toBe(201);
    expect(await get(id, body.backfill_id)).toEqual({
      id: body.backfill_id,
      team: bench.teamId,
      batch_export: id,
      start_at: '2026-03-01T00:00:00Z',
      end_at: '2026-03-01T05:00:00Z',
      adjusted_start_at: null,
      status: 'Running',
      total_records_count: null,
      progress: { total_runs: 5, finished_runs: 0, progress: 0 },
      created_at: '2026-03-10T10:20:00Z',
      finished_at: null,
      last_updated_at: '2026-03-10T10:20:00Z',
    });
    expect(await finishActive(id, 'Completed')).toBe(2);
    expect((await get(id, body.backfill_id)).progress).toEqual({
      total_runs: 5,
      finished_runs: 2,
      progress: 0.4,
    });
    // A run that may still be repeated is not among the finished ones.
    expect(await finishActive(id, 'FailedRetryable')).toBe(2);
    expect((await get(id, body.backfill_id)).progress).toMatchObject({ finished_runs: 2, progress: 0.4 });
    expect(await finishActive(id, 'Completed')).toBe(1);
    expect(await get(id, body.backfill_id)).toMatchObject({
      status: 'Completed',
      finished_at: '2026-03-10T10:20:00Z',
      total_records_count: 6,
      progress: { total_runs: 5, finished_runs: 5, progress: 1 },
    });
    const runs = await runsOf(id);
    expect(runs.map((run) => run.data_interval_start.slice(11, 13))).toEqual(['00', '01', '02', '03', '04']);
    expect(new Set(runs.map((run) => run.backfill))).toEqual(new Set([body.backfill_id]));
  });

  it('cuts the last interval at the end instead of dropping it', async () => {
    const { id } = await bench.create();
    await start(id, '2026-03-01T00:30:00Z', '2026-03-01T02:00:00Z');
    expect((await runsOf(id)).map((run) => [run.data_interval_start, run.data_interval_end])).toEqual([
      ['2026-03-01T00:30:00Z', '2026-03-01T01:30:00Z'],
      ['2026-03-01T01:30:00Z', '2026-03-01T02:00:00Z'],
    ]);
  });

  it.each([
    ['UTC', '0000-01-01'],
    ['Europe/Berlin', '0001-01-01'],
    ['Asia/Tokyo', '0001-01-01'],
  ])('of days in %s may not begin on %s, before the first moment there is', async (timezone, day) => {
    const { id } = await bench.create({ interval: 'day', timezone });
    expect(await start(id, day, '2026-03-09')).toMatchObject({
      status: 400,
      body: { code: 'invalid_input', attr: null, detail: expect.stringContaining('the year 1') },
    });
  });

  it('of days follows the local calendar through a change of the clocks', async () => {
    bench.clock.set('2026-04-10T10:20:00Z');
    const { id } = await bench.create({ interval: 'day', timezone: 'Europe/Berlin', offset_hour: 3 });
    await start(id, '2026-03-28', '2026-03-30');
    expect((await runsOf(id)).map((run) => [run.data_interval_start, run.data_interval_end])).toEqual([
      ['2026-03-28T02:00:00Z', '2026-03-29T01:00:00Z'],
      ['2026-03-29T01:00:00Z', '2026-03-30T01:00:00Z'],
    ]);
  });

  it('of all history is one run without a beginning', async () => {
    const { id } = await bench.create();
    const { body } = await start(id, null, '2026-03-01T00:00:00Z');
    const { body: page } = await bench.call('GET', `batch_exports/${id}/runs`);
    expect(page.results).toMatchObject([
      { data_interval_start: null, data_interval_end: '2026-03-01T00:00:00Z', backfill: body.backfill_id },
    ]);
    expect((await get(id, body.backfill_id)).progress).toBeNull();
    const [run] = page.results;
    const claim = await claimRun(bench.db, { runId: run.id, worker: 'w', now: bench.clock.now() });
    if (!claim) throw new Error('nothing to claim');
    expect(await fixPlan(bench.db, claim, bench.clock.now())).toEqual({
      region: {
        arrivalFrom: null,
        arrivalTo: Date.parse('2026-03-10T10:20:00.001Z'),
        eventFrom: null,
        eventTo: Date.parse('2026-03-01T00:00:00Z'),
      },
      excludes: [],
    });
    expect(claim.readableFrom).toBe(Date.parse('2026-03-10T10:20:00.001Z'));
  });

  it('leaves out what live runs delivered', async () => {
    const { id } = await bench.create();
    bench.clock.advance(3 * 3_600_000);
    await bench.feature.tick(100);
    await finishActive(id, 'Completed');
    await start(id, '2026-03-10T11:00:00Z', '2026-03-10T12:00:00Z');
    const [run] = (await runsOf(id)).filter((candidate) => candidate.backfill);
    const claim = await claimRun(bench.db, { runId: run.id, worker: 'w', now: bench.clock.now() });
    if (!claim) throw new Error('nothing to claim');
    const { excludes } = await fixPlan(bench.db, claim, bench.clock.now());
    expect(excludes).toEqual([
      {
        arrivalFrom: Date.parse('2026-03-10T10:00:00Z'),
        arrivalTo: Date.parse('2026-03-10T13:00:00Z'),
        eventFrom: Date.parse('2026-03-10T11:00:00Z'),
        eventTo: Date.parse('2026-03-10T12:00:00Z'),
      },
    ]);
  });

  it('takes what a pause left between live runs', async () => {
    const { id } = await bench.create();
    bench.clock.advance(3_600_000);
    await bench.call('POST', `batch_exports/${id}/pause`);
    bench.clock.advance(3_600_000);
    await bench.call('POST', `batch_exports/${id}/unpause`);
    bench.clock.advance(3_600_000);
    await bench.feature.tick(100);
    expect(await finishActive(id, 'Completed')).toBe(2);
    await start(id, '2026-03-10T11:00:00Z', '2026-03-10T12:00:00Z');
    const [run] = (await runsOf(id)).filter((candidate) => candidate.backfill);
    const claim = await claimRun(bench.db, { runId: run.id, worker: 'w', now: bench.clock.now() });
    if (!claim) throw new Error('nothing to claim');
    const { excludes } = await fixPlan(bench.db, claim, bench.clock.now());
    const held = excludes.map(({ arrivalFrom, arrivalTo }) =>
      [arrivalFrom, arrivalTo].map((at) => new Date(at ?? 0).toISOString().slice(11, 16)),
    );
    expect(held).toEqual([
      ['10:00', '11:00'],
      ['12:00', '13:00'],
    ]);
  });

  it('answers 200 at its old address', async () => {
    const { id } = await bench.create();
    const body = { start_at: '2026-03-01T00:00:00Z', end_at: '2026-03-01T01:00:00Z' };
    const { status, body: answer } = await bench.call('POST', `batch_exports/${id}/backfill/`, body);
    expect([status, answer]).toEqual([200, { backfill_id: expect.stringMatching(/^[0-9a-f-]{36}$/) }]);
  });

  it('names and does not count an interval that failed, also when it was repeated without success', async () => {
    const { id } = await bench.create();
    const { body } = await start(id, '2026-03-01T00:00:00Z', '2026-03-01T02:00:00Z');
    const [first, second] = await runsOf(id);
    await finish(first.id, 'Failed');
    await bench.call('POST', `batch_exports/${id}/runs/${first.id}/retry`);
    expect(await get(id, body.backfill_id)).toMatchObject({ status: 'Running' });
    const again = (await runsOf(id)).find((run) => run.backfill !== body.backfill_id);
    await finish(again.id, 'Failed');
    await finish(second.id, 'Completed');
    expect(await get(id, body.backfill_id)).toMatchObject({ status: 'Completed', total_records_count: 2 });
    const errors = (await bench.call('GET', `batch_exports/${id}/logs?level=ERROR`)).body.results;
    expect(errors.map((line: Json) => line.message)).toContain(
      `The backfill did not export 2026-03-01T00:00:00.000Z to 2026-03-01T01:00:00.000Z: run ${first.id} is Failed.`,
    );
  });

  it('is cancelled with its runs, once', async () => {
    const { id } = await bench.create();
    const { body } = await start(id, '2026-03-01T00:00:00Z', '2026-03-01T05:00:00Z');
    const path = `batch_exports/${id}/backfills/${body.backfill_id}`;
    expect(await bench.call('POST', `${path}/cancel/`)).toEqual({ status: 200, body: { cancelled: true } });
    expect((await runsOf(id)).map((run) => run.status)).toEqual(['Cancelled', 'Cancelled']);
    expect(await get(id, body.backfill_id)).toMatchObject({ status: 'Cancelled', progress: null });
    const again = await bench.call('POST', `${path}/cancel`);
    expect([again.status, again.body]).toMatchObject([400, { code: 'invalid_input', attr: null }]);
    for (const method of ['PUT', 'PATCH', 'DELETE'])
      expect((await bench.call(method, path, {})).status).toBe(405);
  });
});

describe('§8.2 checks', () => {
  const HOURLY = { interval: 'hour' };
  const DAILY = { interval: 'day' };
  const WEEKLY = { interval: 'week', offset_day: 1 };
  it.each([
    ['a moment without offset', HOURLY, '2026-03-01T00:00:00', '2026-03-02T00:00:00Z'],
    ['a date for hours', HOURLY, '2026-03-01', '2026-03-02'],
    ['no date at all', HOURLY, 'soon', '2026-03-02T00:00:00Z'],
    ['a number', HOURLY, 5, '2026-03-02T00:00:00Z'],
    ['a moment for days', DAILY, '2026-03-01T00:00:00Z', '2026-03-02'],
    ['a day that does not exist', DAILY, '2026-02-30', '2026-03-02'],
    ['a week that begins on another day', WEEKLY, '2026-03-01', '2026-03-09'],
    ['no end', HOURLY, '2026-03-01T00:00:00Z', null],
    ['an empty range', HOURLY, '2026-03-01T00:00:00Z', '2026-03-01T00:00:00Z'],
    ['a range turned round', DAILY, '2026-03-05', '2026-03-01'],
    ['an end in the future', HOURLY, '2026-03-01T00:00:00Z', '2026-03-10T10:20:01Z'],
    ['a day that has not begun', DAILY, '2026-03-01', '2026-03-11'],
  ])('refuses %s', async (_, parts, from, to) => {
    const { id } = await bench.create(parts);
    const { status, body } = await start(id, from, to);
    expect([status, body]).toMatchObject([
      400,
      { type: 'validation_error', code: 'invalid_input', attr: null },
    ]);
    expect(await runsOf(id)).toEqual([]);
  });

  it('takes a week that begins on its day', async () => {
    const { id } = await bench.create(WEEKLY);
    expect((await start(id, '2026-02-23', '2026-03-09')).status).toBe(201);
    expect((await runsOf(id)).map((run) => run.data_interval_start)).toEqual([
      '2026-02-23T00:00:00Z',
      '2026-03-02T00:00:00Z',
    ]);
  });

  it('the export must be there', async () => {
    const { id } = await bench.create();
    await bench.call('DELETE', `batch_exports/${id}`);
    for (const unknown of [id, '019a5b2e-6f7c-0000-8a41-6d1f9a2b7c10', 'x']) {
      expect((await start(unknown, 'nonsense', null)).status).toBe(404);
    }
  });

  it('the same range twice is a conflict, a third backfill too many', async () => {
    const { id } = await bench.create();
    const other = await bench.create();
    const range = ['2026-03-01T00:00:00Z', '2026-03-01T05:00:00Z'] as const;
    expect((await start(id, ...range)).status).toBe(201);
    const same = await start(id, ...range);
    expect([same.status, same.body]).toMatchObject([409, { type: 'invalid_request', code: 'conflict' }]);
    expect((await start(other.id, ...range)).status).toBe(201);
    estimates = 0;
    expect((await start(other.id, '2026-03-02T00:00:00Z', '2026-03-02T05:00:00Z')).status).toBe(429);
    expect(estimates).toBe(0);
    const third = await start(other.id, 'nonsense', null);
    expect([third.status, third.body]).toMatchObject([
      429,
      { type: 'server_error', code: 'too_many_concurrent_backfills', attr: null },
    ]);
  });

  it('all history may be closed off, or useless to a query', async () => {
    const hourly = await bench.create();
    estimates = 0;
    await bench.closing(['earliestBackfill'], async () => {
      expect((await start(hourly.id, null, '2026-02-01T00:00:00Z')).status).toBe(400);
    });
    const query = {
      model: 'hogql',
      hogql_query: 'select uuid from events where timestamp > {data_interval_start}',
    };
    const { id } = await bench.create(query);
    expect((await start(id, null, '2026-02-01T00:00:00Z')).status).toBe(400);
    expect(estimates).toBe(0);
  });
});

describe('§8.2 the list', () => {
  it('pages through ties in 50s, either order', async () => {
    const { id } = await bench.create();
    const bases = Array.from({ length: 120 }, (_, i) => ({
      id: bench.ports.newId(),
      team_id: bench.teamId,
      batch_export_id: id,
      workflow_id: `${i}`,
      status: 'Completed',
      start_at: i % 3 === 0 ? null : new Date(Date.UTC(2026, 0, 1 + (i % 5))),
      end_at: new Date(Date.UTC(2026, 1, 1)),
      arrival_before: new Date(0),
      created_at: new Date(bench.clock.now()),
      finished_at: new Date(bench.clock.now()),
      last_updated_at: new Date(bench.clock.now()),
    }));
    await bench.db.insertInto('batch_export_backfills').values(bases).execute();
    for (const ordering of ['', '-created_at', 'start_at', '-start_at', 'start_at,-created_at', 'bogus']) {
      const seen: Json[] = [];
      const sizes: number[] = [];
      for (let at: string | null = `batch_exports/${id}/backfills/?ordering=${ordering}`; at !== null; ) {
        const { body }: { body: Json } = await bench.call('GET', at);
        sizes.push(body.results.length);
        seen.push(...body.results);
        at = body.next;
      }
      expect(sizes).toEqual([50, 50, 20]);
      expect(new Set(seen.map((row) => row.id)).size).toBe(120);
      const falls = !ordering.startsWith('start_at');
      const key = ordering.includes('start_at')
        ? (row: Json) => row.start_at ?? ''
        : (row: Json) => row.created_at;
      const keys = seen.map((row) => `${key(row)} ${ordering.includes(',') ? '' : row.id}`);
      expect(keys).toEqual(falls ? keys.toSorted().toReversed() : keys.toSorted());
    }
  });

  it('of an unknown export is empty', async () => {
    const { status, body } = await bench.call(
      'GET',
      'batch_exports/019a5b2e-6f7c-0000-8a41-6d1f9a2b7c10/backfills',
    );
    expect([status, body]).toEqual([200, { next: null, previous: null, results: [] }]);
  });
});

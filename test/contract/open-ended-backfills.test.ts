import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { finishRun } from '../../src/batch-exports/runs/finish.ts';
import { fixPlan } from '../../src/batch-exports/runs/plan.ts';
import { claimRun } from '../../src/batch-exports/runs/store.ts';
import type { Region } from '../../src/database/tables.ts';
import type { Estimate } from '../../src/export/estimate.ts';
import { NO_OUTCOME } from '../../src/export/outcome.ts';
import { type Json, type ServedBench, serveBench } from './batch-exports-kit.ts';

/** contract.md §8.2 check 5 and engine.md §5.7 over HTTP: backfills without an end. */
let bench: ServedBench;
/** What the next backfill is told that its range holds. */
let estimate: Estimate | null = null;
/** By how much the newest arrival stamp is ahead of the clock, milliseconds. */
let stampsAhead = 0;
beforeAll(async () => {
  bench = await serveBench({
    maxBackfills: 100,
    estimate: async () => estimate,
    arrivedBefore: async () => bench.clock.now() + stampsAhead + 1,
  });
});
afterAll(() => bench.close());
beforeEach(async () => {
  await bench.db
    .updateTable('batch_exports')
    .set({ deleted_at: new Date(0), next_due_at: null })
    .execute();
  bench.clock.set('2026-03-10T10:20:00Z');
  estimate = null;
  stampsAhead = 0;
});

const NOWHERE = { destination: { type: 'NoOp', config: {} } };
const HTTP = {
  destination: { type: 'HTTP', config: { url: 'https://us.i.posthog.com/batch/', token: 'phc_x' } },
};
const start = (id: string, start_at: unknown, end_at: unknown = null) =>
  bench.call('POST', `batch_exports/${id}/backfills/`, { start_at, end_at });
const get = async (id: string, backfill: string) =>
  (await bench.call('GET', `batch_exports/${id}/backfills/${backfill}`)).body;
const exportOf = async (id: string) => (await bench.call('GET', `batch_exports/${id}`)).body;
const messages = async (id: string): Promise<string[]> =>
  (await bench.call('GET', `batch_exports/${id}/logs?limit=500`)).body.results.map(
    (row: Json) => row.message,
  );

async function runsOf(id: string) {
  return bench.db
    .selectFrom('batch_export_runs')
    .selectAll()
    .where('batch_export_id', '=', id)
    .orderBy('id')
    .execute();
}

/** Ends all active runs; tells the regions they asked for. */
async function finishActive(id: string, status: 'Completed' | 'Failed' = 'Completed'): Promise<Region[]> {
  const regions: Region[] = [];
  for (const run of (await runsOf(id)).filter((each) => each.status === 'Starting')) {
    const claim = await claimRun(bench.db, { runId: run.id, worker: 'w', now: bench.clock.now() });
    if (!claim) throw new Error('nothing to claim');
    regions.push((await fixPlan(bench.db, claim, bench.clock.now())).region);
    await finishRun(
      bench.ports,
      claim,
      status === 'Completed' ? { status, outcome: NO_OUTCOME } : { status, error: 'no' },
    );
  }
  return regions;
}

const at = (time: string) => Date.parse(`2026-03-10T${time}Z`);
const happened = (from: string, to: string | null): Region => ({
  arrivalFrom: null,
  arrivalTo: at('10:20:00') + 1,
  eventFrom: at(from),
  eventTo: to === null ? null : at(to),
});
const arrived = (from: number, to: string): Region => ({
  arrivalFrom: from,
  arrivalTo: at(to),
  eventFrom: null,
  eventTo: null,
});

describe('a backfill without an end', () => {
  it('catches up by event time, then by arrival time, and unpauses the export where it stops', async () => {
    const { id } = await bench.create({ ...NOWHERE, paused: true });
    const { status, body } = await start(id, '2026-03-10T08:00:00Z');
    expect(status).toBe(201);
    const backfill = body.backfill_id;
    // §8.1: without an end the progress goes up to now.
    expect(await get(id, backfill)).toMatchObject({
      status: 'Running',
      end_at: null,
      progress: { total_runs: 3, finished_runs: 0, progress: 0 },
    });
    expect(await finishActive(id)).toEqual([
      happened('08:00:00', '09:00:00'),
      happened('09:00:00', '10:00:00'),
    ]);
    expect((await exportOf(id)).paused).toBe(true);
    bench.clock.set('2026-03-10T12:40:00Z');
    expect(await finishActive(id)).toEqual([happened('10:00:00', null)]);
    expect(await finishActive(id)).toEqual([
      arrived(at('10:20:00') + 1, '11:00:00'),
      arrived(at('11:00:00'), '12:00:00'),
    ]);
    expect(await get(id, backfill)).toMatchObject({
      status: 'Completed',
      finished_at: '2026-03-10T12:40:00Z',
      progress: { total_runs: 0, finished_runs: 0, progress: 1 },
    });
    expect((await exportOf(id)).paused).toBe(false);
    expect(await messages(id)).toEqual(expect.arrayContaining([expect.stringMatching(/caught up/)]));
    // The schedule goes on exactly there.
    bench.clock.set('2026-03-10T13:00:00Z');
    await bench.feature.tick(10);
    expect(await finishActive(id)).toEqual([arrived(at('12:00:00'), '13:00:00')]);
  });

  it('leaves to a schedule that is active what it does itself, and makes up for a pause in between', async () => {
    const { id } = await bench.create(NOWHERE);
    await start(id, '2026-03-10T10:00:00Z');
    bench.clock.set('2026-03-10T11:10:00Z');
    await bench.feature.tick(10);
    await bench.call('POST', `batch_exports/${id}/pause`);
    bench.clock.set('2026-03-10T13:10:00Z');
    await bench.call('POST', `batch_exports/${id}/unpause`);
    bench.clock.set('2026-03-10T14:10:00Z');
    await bench.feature.tick(10);
    const seen: Region[] = [];
    for (let turn = 0; turn < 6; turn++) {
      seen.push(...(await finishActive(id)));
      await bench.feature.tick(10);
    }
    expect(seen.toSorted((a, b) => (a.arrivalTo ?? 0) - (b.arrivalTo ?? 0))).toEqual([
      happened('10:00:00', null),
      arrived(at('10:00:00'), '11:00:00'),
      arrived(at('11:00:00'), '12:00:00'),
      arrived(at('12:00:00'), '13:00:00'),
      arrived(at('13:00:00'), '14:00:00'),
    ]);
    const [newest] = (await bench.call('GET', `batch_exports/${id}/backfills`)).body.results;
    expect(newest.status).toBe('Completed');
  });

  it('of all history is one run, then the schedule', async () => {
    const { id } = await bench.create({ ...NOWHERE, paused: true });
    const { body } = await start(id, null);
    expect((await get(id, body.backfill_id)).progress).toBeNull();
    expect(await finishActive(id)).toEqual([
      { arrivalFrom: null, arrivalTo: at('10:20:00') + 1, eventFrom: null, eventTo: null },
    ]);
    await bench.feature.tick(10);
    expect(await get(id, body.backfill_id)).toMatchObject({ status: 'Completed', start_at: null });
    expect((await exportOf(id)).paused).toBe(false);
  });

  it('is one at a time per export, and one with an end does not mind', async () => {
    const { id } = await bench.create({ ...NOWHERE, paused: true });
    expect((await start(id, '2026-03-10T08:00:00Z')).status).toBe(201);
    const second = await start(id, '2026-03-10T07:00:00Z');
    expect([second.status, second.body]).toMatchObject([409, { type: 'invalid_request', code: 'conflict' }]);
    expect((await start(id, '2026-03-10T07:00:00Z', '2026-03-10T08:00:00Z')).status).toBe(201);
  });

  it('leaves the export paused when it is cancelled', async () => {
    const { id } = await bench.create({ ...NOWHERE, paused: true });
    const { body } = await start(id, '2026-03-10T08:00:00Z');
    const path = `batch_exports/${id}/backfills/${body.backfill_id}`;
    expect((await bench.call('POST', `${path}/cancel`)).body).toEqual({ cancelled: true });
    await bench.feature.tick(10);
    expect((await runsOf(id)).map((run) => run.status)).toEqual(['Cancelled', 'Cancelled']);
    expect(await get(id, body.backfill_id)).toMatchObject({ status: 'Cancelled', progress: null });
    expect((await exportOf(id)).paused).toBe(true);
    expect((await start(id, '2026-03-10T08:00:00Z')).status).toBe(201);
  });

  it('names the intervals that failed, and unpauses all the same', async () => {
    const { id } = await bench.create({ ...NOWHERE, paused: true });
    const { body } = await start(id, '2026-03-10T09:00:00Z');
    await finishActive(id, 'Failed');
    await bench.feature.tick(10);
    expect((await get(id, body.backfill_id)).status).toBe('Completed');
    const errors = (await bench.call('GET', `batch_exports/${id}/logs?level=ERROR`)).body.results;
    expect(errors.map((row: Json) => row.message)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/2 of 2 intervals/),
        expect.stringMatching(/2026-03-10T09:00:00.000Z to 2026-03-10T10:00:00.000Z/),
      ]),
    );
    expect((await exportOf(id)).paused).toBe(false);
  });

  it.each([
    ['files', {}, '2026-03-10T08:00:00Z', 400],
    ['files, all history', {}, null, 400],
    ['HTTP', HTTP, '2026-03-10T08:00:00Z', 201],
    ['a start in the future', NOWHERE, '2026-03-10T10:20:00Z', 400],
  ])('is for destinations that allow it: %s', async (_, parts, from, expected) => {
    const { id } = await bench.create({ ...parts, paused: true });
    const { status, body } = await start(id, from);
    expect(status).toBe(expected);
    if (expected === 400) expect(body).toMatchObject({ code: 'invalid_input', attr: null });
  });

  it('with nothing to catch up on is Completed at once, and the export runs', async () => {
    estimate = { rows: 0, first: null };
    const { id } = await bench.create({ ...NOWHERE, paused: true });
    const { body } = await start(id, '2026-02-01T00:00:00Z');
    expect(await get(id, body.backfill_id)).toMatchObject({ status: 'Completed', total_records_count: 0 });
    expect(await runsOf(id)).toEqual([]);
    expect((await exportOf(id)).paused).toBe(false);
  });

  it('takes what had arrived by stamps that are ahead of the clock, and goes on from there', async () => {
    stampsAhead = 2 * 3_600_000;
    const { id } = await bench.create({ ...NOWHERE, paused: true });
    const { body } = await start(id, '2026-03-10T10:00:00Z');
    // Until then its runs are not readable.
    bench.clock.set('2026-03-10T12:40:00Z');
    const seam = at('12:20:00') + 1;
    expect(await finishActive(id)).toEqual([
      { ...happened('10:00:00', '11:00:00'), arrivalTo: seam },
      { ...happened('11:00:00', '12:00:00'), arrivalTo: seam },
    ]);
    expect(await finishActive(id)).toEqual([{ ...happened('12:00:00', null), arrivalTo: seam }]);
    await bench.feature.tick(10);
    expect(await get(id, body.backfill_id)).toMatchObject({ status: 'Completed' });
    bench.clock.set('2026-03-10T13:00:00Z');
    await bench.feature.tick(10);
    expect(await finishActive(id)).toEqual([arrived(at('12:00:00'), '13:00:00')]);
  });

  it('with nothing to catch up on is Completed at once also while stamps are ahead', async () => {
    estimate = { rows: 0, first: null };
    stampsAhead = 3_600_000;
    const { id } = await bench.create({ ...NOWHERE, paused: true });
    const { body } = await start(id, '2026-02-01T00:00:00Z');
    expect((await get(id, body.backfill_id)).status).toBe('Completed');
    expect((await exportOf(id)).paused).toBe(false);
    bench.clock.set('2026-03-10T11:00:00Z');
    await bench.feature.tick(10);
    expect(await finishActive(id)).toEqual([arrived(at('10:00:00'), '11:00:00')]);
  });

  it('takes rows from clocks that are ahead', async () => {
    estimate = { rows: 1, first: at('17:00:00') };
    const { id } = await bench.create({ ...NOWHERE, paused: true });
    await start(id, '2026-02-01T00:00:00Z');
    expect(await finishActive(id)).toEqual([happened('10:00:00', null)]);
  });

  it('takes them also when it is asked for at the moment an interval begins', async () => {
    bench.clock.set('2026-03-10T10:00:00Z');
    estimate = { rows: 1, first: at('17:00:00') };
    const { id } = await bench.create({ ...NOWHERE, paused: true });
    const { body } = await start(id, '2026-02-01T00:00:00Z');
    const seam = at('10:00:00') + 1;
    expect(await finishActive(id)).toEqual([{ ...happened('10:00:00', null), arrivalTo: seam }]);
    await bench.feature.tick(10);
    expect(await get(id, body.backfill_id)).toMatchObject({ status: 'Completed' });
    expect((await exportOf(id)).paused).toBe(false);
    bench.clock.set('2026-03-10T11:00:00Z');
    await bench.feature.tick(10);
    expect(await finishActive(id)).toEqual([arrived(at('10:00:00'), '11:00:00')]);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createExport, pathOf, runsOf, untilEnded } from '../faults/check.ts';
import { makeEvents, send } from '../faults/events.ts';
import { seeded } from '../faults/random.ts';
import { type RunningSluice, startSluice } from '../kit/sluice.ts';

/** contract.md §8.1 and §13: what a backfill finds before it begins, on a real server with real events. */
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const day = Math.floor(Date.now() / DAY - 3) * DAY;
const at = (ms: number) => new Date(day + ms);
let sluice: RunningSluice;

beforeAll(async () => {
  sluice = await startSluice();
  const range = { start: at(5.5 * HOUR), end: at(7.5 * HOUR) };
  await send(sluice.ready, makeEvents(30, range, 50, seeded(11)));
});
afterAll(async () => {
  await sluice?.stop();
});

const files = (prefix: string, config = {}) => ({ type: 'Filesystem', config: { prefix, ...config } });

interface Backfill {
  readonly status: string;
  readonly start_at: string | null;
  readonly adjusted_start_at: string | null;
  readonly total_records_count: number | null;
  readonly progress: unknown;
  readonly finished_at: string | null;
}

async function ask(
  id: string,
  start: string | null,
  end: string,
): Promise<{ backfill: string; first: Backfill }> {
  const path = `${pathOf(sluice, id)}/backfills/`;
  const made = await sluice.api<{ backfill_id: string }>('POST', path, { start_at: start, end_at: end });
  expect(made.status).toBe(201);
  const backfill = made.body.backfill_id;
  return { backfill, first: await read(id, backfill) };
}

const read = async (id: string, backfill: string): Promise<Backfill> =>
  (await sluice.api<Backfill>('GET', `${pathOf(sluice, id)}/backfills/${backfill}/`)).body;

const iso = (date: Date) => date.toISOString().replace('.000Z', 'Z');

describe('§13 the estimate of a backfill', () => {
  it('starts at the interval of the first row', async () => {
    const id = await createExport(sluice, files('hours'));
    const { backfill, first } = await ask(id, at(-2 * DAY).toISOString(), at(10 * HOUR).toISOString());
    expect(first).toMatchObject({
      start_at: iso(at(-2 * DAY)),
      adjusted_start_at: iso(at(5 * HOUR)),
      total_records_count: 30,
    });
    const runs = await untilEnded(sluice, id);
    expect(runs.map((run) => run.data_interval_start).toSorted()).toEqual(
      [5, 6, 7, 8, 9].map((hour) => iso(at(hour * HOUR))),
    );
    expect(runs.reduce((sum, run) => sum + (run.records_completed ?? 0), 0)).toBe(30);
    expect(await read(id, backfill)).toMatchObject({
      status: 'Completed',
      progress: { total_runs: 5, finished_runs: 5, progress: 1 },
    });
  });

  it('takes the whole day of the first row for a daily export', async () => {
    const id = await createExport(sluice, files('days'), 'day');
    const [start, end] = [at(-5 * DAY), at(DAY)].map((date) => date.toISOString().slice(0, 10));
    const { first } = await ask(id, start ?? '', end ?? '');
    expect(first).toMatchObject({ adjusted_start_at: iso(at(0)), total_records_count: 30 });
    expect(await untilEnded(sluice, id)).toHaveLength(1);
  });

  it('is Completed at once, without a run, when there is nothing', async () => {
    const id = await createExport(sluice, files('nothing'));
    const { first } = await ask(id, at(-9 * DAY).toISOString(), at(-8 * DAY).toISOString());
    expect(first).toMatchObject({
      status: 'Completed',
      total_records_count: 0,
      progress: { total_runs: 0, finished_runs: 0, progress: 1 },
      finished_at: expect.any(String),
    });
    expect(await runsOf(sluice, id)).toEqual([]);
  });

  it("counts by the export's own choice of events", async () => {
    const id = await createExport(sluice, files('chosen', { include_events: ['$pageview'] }));
    const { first } = await ask(id, at(0).toISOString(), at(DAY).toISOString());
    expect(first.total_records_count).toBe(10);
    const none = await createExport(sluice, files('none', { exclude_events: ['$pageview', 'order placed'] }));
    expect((await ask(none, at(0).toISOString(), at(DAY).toISOString())).first.status).toBe('Completed');
  });

  it('leaves all of history in one run', async () => {
    const id = await createExport(sluice, files('history'));
    const { first } = await ask(id, null, at(DAY).toISOString());
    expect(first).toMatchObject({ start_at: null, adjusted_start_at: null, total_records_count: 30 });
    expect(await untilEnded(sluice, id)).toHaveLength(1);
  });
});

import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { chooseSeed, LONG, seeded } from '../faults/random.ts';
import { SettableClock } from '../kit/settable-clock.ts';
import { type InProcess, type Json, startInProcess } from '../kit/sluice-in-process.ts';

/** Several clients change the same export at the same time: nothing of ours breaks, and nothing is stuck afterwards. */
const ROUNDS = LONG ? 500 : 60;
const CLIENTS = 2;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const SEED = chooseSeed('concurrency');
const clock = new SettableClock('2026-03-01T10:20:00Z');
let sluice: InProcess;
beforeAll(async () => {
  sluice = await startInProcess(clock, { SLUICE_MAX_BACKFILLS: '4', SLUICE_BACKFILL_PARALLELISM: '2' });
});
afterAll(() => sluice?.stop());

const random = seeded(SEED);
const one = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)] as T;
const iso = (ms: number): string => new Date(ms).toISOString();

const ALLOWED = [200, 201, 204, 400, 404, 409, 429];

async function create(): Promise<string> {
  const { status, body } = await sluice.call('POST', 'batch_exports/', {
    name: 'contested',
    model: 'events',
    interval: one(['hour', 'every 5 minutes']),
    paused: random() < 0.5,
    destination: { type: 'NoOp', config: {} },
  });
  expect(status).toBe(201);
  return body.id;
}

type Call = readonly [method: string, path: string, body?: unknown];

/** One thing a client may do now; what it knows of runs and backfills may be out of date. */
function choose(id: string, known: Known, mayDelete: boolean): Call {
  const path = `batch_exports/${id}/`;
  const run = `${path}runs/${one(known.runs) ?? id}/`;
  const backfill = `${path}backfills/${one(known.backfills) ?? id}/`;
  const start = clock.now() - Math.ceil(random() * 8) * HOUR;
  const end = random() < 0.3 ? null : iso(start + Math.ceil(random() * 50) * MINUTE);
  const calls: readonly Call[] = [
    ['PATCH', path, { paused: random() < 0.5 }],
    ['PATCH', path, { interval: one(['hour', 'every 5 minutes', 'every 15 minutes']) }],
    ['POST', `${path}pause/`, {}],
    ['POST', `${path}unpause/`, { backfill: random() < 0.5 }],
    ['POST', `${path}backfills/`, { start_at: iso(start), end_at: end }],
    ['POST', `${path}backfills/`, { start_at: null, end_at: end }],
    ['POST', `${backfill}cancel/`],
    ['POST', `${run}retry/`],
    ['POST', `${run}cancel/`],
    ['GET', `${path}backfills/`],
    ['GET', path],
    ...(mayDelete ? ([['DELETE', path]] as const) : []),
  ];
  return one(calls);
}

interface Known {
  readonly runs: readonly string[];
  readonly backfills: readonly string[];
}

async function know(id: string): Promise<{ runs: Json[]; backfills: Json[] }> {
  const runs = await sluice.call('GET', `batch_exports/${id}/runs/?after=2020-01-01&before=2030-01-01`);
  const backfills = await sluice.call('GET', `batch_exports/${id}/backfills/`);
  return { runs: runs.body.results, backfills: backfills.body.results };
}

const ids = (rows: readonly Json[]): string[] => rows.slice(0, 6).map(({ id }) => id);
const active = (rows: readonly Json[]) =>
  rows.filter(({ status }) => ['Starting', 'Running'].includes(status));

/** No run and no backfill is active any more; of a deleted export at once, of another when its runs have ended. */
async function expectSettled(id: string): Promise<void> {
  await vi.waitFor(
    async () => {
      const runs = await sluice.all(`batch_exports/${id}/runs/?after=2020-01-01&before=2030-01-01`);
      const backfills = await sluice.all(`batch_exports/${id}/backfills/`);
      expect(active([...runs, ...backfills])).toEqual([]);
    },
    { timeout: 60_000, interval: 50 },
  );
}

/** S4 as a client sees it: what is paused or deleted gets no more runs, what is active gets the next one. */
async function expectScheduleAgrees(id: string): Promise<void> {
  const { status, body } = await sluice.call('GET', `batch_exports/${id}/`);
  const before = (await know(id)).runs.length;
  clock.advance(61 * MINUTE);
  if (status === 404 || body.paused) {
    // Another export, created after it and active, has had its turn: so had this one.
    const witness = await create();
    await sluice.call('PATCH', `batch_exports/${witness}/`, { paused: false, interval: 'every 5 minutes' });
    clock.advance(6 * MINUTE);
    await vi.waitFor(async () => expect((await know(witness)).runs).not.toEqual([]), { timeout: 60_000 });
    await sluice.call('DELETE', `batch_exports/${witness}/`);
    expect((await know(id)).runs).toHaveLength(before);
    return;
  }
  await vi.waitFor(
    async () => {
      const [newest] = (await know(id)).runs;
      expect(Date.parse(newest?.created_at ?? '')).toBeGreaterThan(clock.now() - 30 * MINUTE);
    },
    { timeout: 60_000, interval: 50 },
  );
}

it(`${CLIENTS} clients at once, ${ROUNDS} rounds`, { timeout: 3_600_000 }, async () => {
  const answers = new Map<number, number>();
  const perExport = 12;
  for (let done = 0; done < ROUNDS; done += perExport) {
    const id = await create();
    let known: Known = { runs: [], backfills: [] };
    for (let round = 0; round < perExport; round++) {
      const mayDelete = round >= perExport - 3;
      if (random() < 0.3) clock.advance(Math.ceil(random() * 40) * MINUTE);
      const first = choose(id, known, mayDelete);
      // Often the very same call: both believe to be the only one.
      const next = () => (random() < 0.25 ? first : choose(id, known, mayDelete));
      const calls = [first, ...Array.from({ length: CLIENTS - 1 }, next)];
      const replies = await Promise.all(calls.map((call) => sluice.call(...call)));
      for (const [index, { status, body }] of replies.entries()) {
        answers.set(status, (answers.get(status) ?? 0) + 1);
        expect(ALLOWED, `${calls[index]?.join(' ')}: ${JSON.stringify(body)}`).toContain(status);
      }
      const { runs, backfills } = await know(id);
      known = { runs: ids(runs), backfills: ids(backfills) };
    }
    const deleted = (await sluice.call('GET', `batch_exports/${id}/`)).status === 404;
    if (deleted) {
      const { runs, backfills } = await know(id);
      expect(active([...runs, ...backfills])).toEqual([]);
    }
    await expectSettled(id);
    await expectScheduleAgrees(id);
    await sluice.call('DELETE', `batch_exports/${id}/`);
    await expectSettled(id);
  }
  process.stdout.write(`answers: ${JSON.stringify(Object.fromEntries(answers))}\n`);
  expect([...answers.keys()]).toEqual(expect.arrayContaining([200, 201]));
  // Of calls that came too late, which of the refusals they meet is chance.
  expect([400, 404, 409].some((status) => answers.has(status))).toBe(true);
});

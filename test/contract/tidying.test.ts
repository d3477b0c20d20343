import pino from 'pino';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { cancelRuns } from '../../src/batch-exports/runs/cancel.ts';
import { openLedger, readEntries } from '../../src/batch-exports/runs/ledger.ts';
import { createPlaces, placeOf } from '../../src/batch-exports/runs/places.ts';
import { fixPlan } from '../../src/batch-exports/runs/plan.ts';
import { type Claim, claimRun, postponeRun, runById } from '../../src/batch-exports/runs/store.ts';
import { type TidyToTheEndPorts, tidyRun, tidyToTheEnd } from '../../src/batch-exports/runs/tidy.ts';
import { SluiceError } from '../../src/errors/error.ts';
import type { FileTarget } from '../../src/export/destinations/destination.ts';
import { type ServedBench, serveBench } from './batch-exports-kit.ts';

/** Runs that were cancelled while they waited for their next attempt: their jobs still come. */
let bench: ServedBench;
let opened = 0;
let ports: TidyToTheEndPorts;
/** Whether another job of the run waits. */
let hasAnother = false;
/** Whose manifest lies under every key that a manifest may have. */
let manifestOf: string | null = null;
/** What the store answers with; null = it takes what it is told. */
let trouble: SluiceError | null = null;
const removed: string[] = [];
const store: Partial<FileTarget> = {
  place: 'files',
  discard: async () => {},
  isStaged: async () => true,
  fileOf: async (key) => key,
  get: async () => (manifestOf === null ? null : Buffer.from(JSON.stringify({ run_id: manifestOf }))),
  remove: async (key) => void removed.push(key),
  sweep: async () => {},
  close: async () => {},
};
beforeEach(() => {
  opened = 0;
  removed.length = 0;
  hasAnother = false;
  manifestOf = null;
  trouble = new SluiceError('destination_unavailable');
  ports = { ...ports, places: createPlaces(2, bench.clock) };
});
beforeAll(async () => {
  bench = await serveBench();
  const destinations = new Map([...bench.ports.destinations]);
  const real = destinations.get('Filesystem');
  if (!real) throw new Error('no such destination');
  const open = () => {
    opened++;
    return trouble ? Promise.reject(trouble) : Promise.resolve(store as FileTarget);
  };
  destinations.set('Filesystem', { ...real, open });
  ports = {
    ...bench.ports,
    destinations,
    setup: async ({ snapshot }: { snapshot: { destination: { config: object } } }) => ({
      type: 'Filesystem',
      config: { ...snapshot.destination.config },
      integration: {},
      folder: null,
    }),
    log: pino({ level: 'silent' }),
    queue: {
      // The job at hand is one that somebody has taken.
      withoutJob: async (_: unknown, ids: readonly string[], only?: 'waiting') =>
        hasAnother || only !== 'waiting' ? [] : [...ids],
    },
  } as unknown as typeof ports;
});
afterAll(() => bench.close());

/** A run that begins, is put back, and is cancelled then. */
async function cancelled(
  begin: (claim: Claim) => Promise<unknown> = async () => {},
  how: { readonly standby?: boolean } = {},
): Promise<string> {
  const { id } = await bench.create();
  bench.clock.advance(3_600_000);
  const { created } = await bench.feature.tick(10);
  for (const runId of created) {
    const now = bench.clock.now();
    const claim = await claimRun(bench.db, { runId, worker: 'w', now });
    if (!claim) throw new Error('nothing to claim');
    await begin(claim);
    await postponeRun(bench.db, bench.ports.enqueue, claim, { at: now + 5_000, now });
  }
  await bench.db.transaction().execute((trx) => cancelRuns(trx, how, { exportId: id }, bench.clock.now()));
  const row = await bench.db
    .selectFrom('batch_export_runs')
    .select('id')
    .where('batch_export_id', '=', id)
    .executeTakeFirstOrThrow();
  return row.id;
}

it('a run that was never planned asks its store nothing', async () => {
  expect(await tidyRun(ports, await cancelled())).toBeNull();
  expect(opened).toBe(0);
});

it('one that was planned does, in turn with those that look whether the store answers', async () => {
  const runId = await cancelled((claim) => fixPlan(bench.db, claim, bench.clock.now()));
  await expect(tidyRun(ports, runId)).rejects.toMatchObject({ code: 'destination_unavailable' });
  expect(opened).toBe(1);
  const { snapshot } = await bench.db
    .selectFrom('batch_export_runs')
    .select('snapshot')
    .where('id', '=', runId)
    .executeTakeFirstOrThrow();
  expect(ports.places.enter(placeOf(snapshot as never))).toBeNull();
  expect(await tidyRun(ports, runId)).toBe(5_000);
  expect(opened).toBe(1);
});

it('one that was cancelled on standby asks its store nothing, planned or not', async () => {
  opened = 0;
  const runId = await cancelled(publishOne, { standby: true });
  expect(await readEntries(bench.db, runId)).toEqual([]);
  expect(await tidyRun(ports, runId)).toBeNull();
  expect(opened).toBe(0);
});

it('what can be taken back says that the store answers again', async () => {
  const runId = await cancelled((claim) => fixPlan(bench.db, claim, bench.clock.now()));
  await expect(tidyRun(ports, runId)).rejects.toMatchObject({ code: 'destination_unavailable' });
  const { snapshot } = await bench.db
    .selectFrom('batch_export_runs')
    .select('snapshot')
    .where('id', '=', runId)
    .executeTakeFirstOrThrow();
  const place = placeOf(snapshot as never);
  trouble = null;
  expect(await tidyRun(ports, runId)).toBeNull();
  expect([ports.places.enter(place), ports.places.enter(place)]).toEqual([null, null]);
});

const plan = (claim: Claim) => fixPlan(bench.db, claim, bench.clock.now());

/** Of three files it had published the first when its store went away. */
async function publishOne(claim: Claim): Promise<void> {
  await plan(claim);
  const staged = { key: 'events/1.parquet', bytes: 10, token: {} };
  const ledger = openLedger(bench.db, bench.clock, claim, 'files');
  await ledger.record({ slice: { part: 0, of: 3 }, rows: 3, bytes: 10, staged });
}

/** What is done for the run now: its jobs, and the warnings in its log. */
async function tidied(runId: string) {
  bench.jobs.length = 0;
  await tidyToTheEnd(ports, runId);
  const lines = await bench.db
    .selectFrom('log_entries')
    .select('message')
    .where('instance_id', '=', runId)
    .where('message', 'like', 'What this run left%')
    .execute();
  return { jobs: [...bench.jobs], told: lines.map(({ message }) => message) };
}

const again = (runId: string) => ({ runId, startAfter: bench.clock.now() + 600_000 });

it('what a store that is away cannot give back is taken back once it answers', async () => {
  const runId = await cancelled(publishOne);
  expect(await tidied(runId)).toEqual({ jobs: [again(runId)], told: [] });
  bench.clock.advance(23 * 3_600_000);
  expect(await tidied(runId)).toEqual({ jobs: [again(runId)], told: [] });
  expect(await readEntries(bench.db, runId)).toHaveLength(1);
  trouble = null;
  expect(await tidied(runId)).toEqual({ jobs: [], told: [] });
  expect(await readEntries(bench.db, runId)).toEqual([]);
  expect(removed).toEqual(['events/1.parquet']);
});

it('its manifest goes first, by the name that its output has', async () => {
  const runId = await cancelled(publishOne);
  await bench.db
    .updateTable('batch_export_runs')
    .set({ key_suffix: 'live' })
    .where('id', '=', runId)
    .execute();
  trouble = null;
  manifestOf = runId;
  expect(await tidyRun(ports, runId)).toBeNull();
  expect(removed).toEqual([expect.stringMatching(/^events\/[^/]*_live_manifest\.json$/), 'events/1.parquet']);
});

it('after a day it is not tried any more, and the log of the export says what may remain', async () => {
  const runId = await cancelled(publishOne);
  bench.clock.advance(24 * 3_600_000);
  expect(await tidied(runId)).toEqual({
    jobs: [],
    told: [
      expect.stringMatching(/not be taken back.*could not be reached.*may remain: events\/1\.parquet\./),
    ],
  });
});

it('nor where a person must act first', async () => {
  const runId = await cancelled(plan);
  trouble = new SluiceError('destination_denied');
  expect(await tidied(runId)).toEqual({
    jobs: [],
    told: [expect.stringMatching(/refused access.*may remain: uploads that nobody will complete\./)],
  });
});

it('of several jobs of a run the last one tries again, and says once what may remain', async () => {
  const runId = await cancelled(publishOne);
  hasAnother = true;
  expect(await tidied(runId)).toEqual({ jobs: [], told: [] });
  bench.clock.advance(24 * 3_600_000);
  expect(await tidied(runId)).toEqual({ jobs: [], told: [] });
  hasAnother = false;
  expect(await tidied(runId)).toMatchObject({ jobs: [], told: [expect.any(String)] });
});

it('nothing is taken back while a run that repeats it is under way, whose uploads have the same keys', async () => {
  const runId = await cancelled(publishOne);
  trouble = null;
  const { batch_export_id: exportId } = await runById(bench.db, runId);
  expect((await bench.call('POST', `batch_exports/${exportId}/runs/${runId}/retry/`, {})).status).toBe(201);
  expect(await tidied(runId)).toEqual({ jobs: [again(runId)], told: [] });
  expect(opened).toBe(0);
  await bench.db.transaction().execute((trx) => cancelRuns(trx, {}, { exportId }, bench.clock.now()));
  expect(await tidied(runId)).toEqual({ jobs: [], told: [] });
  expect(removed).toEqual(['events/1.parquet']);
});

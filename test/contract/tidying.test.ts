import { afterAll, beforeAll, expect, it } from 'vitest';
import { cancelRuns } from '../../src/batch-exports/runs/cancel.ts';
import type { ExecutePorts } from '../../src/batch-exports/runs/execute.ts';
import { leaveAsItIs } from '../../src/batch-exports/runs/leave.ts';
import { createPlaces, type Places, placeOf } from '../../src/batch-exports/runs/places.ts';
import { fixPlan } from '../../src/batch-exports/runs/plan.ts';
import { type Claim, claimRun, postponeRun } from '../../src/batch-exports/runs/store.ts';
import { tidyRun } from '../../src/batch-exports/runs/tidy.ts';
import { SluiceError } from '../../src/errors/error.ts';
import { type ServedBench, serveBench } from './batch-exports-kit.ts';

/** Runs that were cancelled while they waited for their next attempt: their jobs still come. */
let bench: ServedBench;
let opened = 0;
let ports: ExecutePorts & { places: Places };
beforeAll(async () => {
  bench = await serveBench();
  const destinations = new Map([...bench.ports.destinations]);
  const real = destinations.get('Filesystem');
  if (!real) throw new Error('no such destination');
  const open = () => {
    opened++;
    return Promise.reject(new SluiceError('destination_unavailable'));
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
    places: createPlaces(2, bench.clock),
  } as unknown as typeof ports;
});
afterAll(() => bench.close());

/** A run that begins, is put back, and is cancelled then. */
async function cancelled(begin: (claim: Claim) => Promise<unknown> = async () => {}): Promise<string> {
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
  await bench.db.transaction().execute((trx) => cancelRuns(trx, { exportId: id }, bench.clock.now()));
  const row = await bench.db
    .selectFrom('batch_export_runs')
    .select('id')
    .where('batch_export_id', '=', id)
    .executeTakeFirstOrThrow();
  return row.id;
}

it('a run that was never planned asks its store nothing', async () => {
  opened = 0;
  expect(await tidyRun(ports, await cancelled())).toBeNull();
  expect(opened).toBe(0);
});

it('one that was planned does, in turn with those that look whether the store answers', async () => {
  opened = 0;
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
  const runId = await cancelled((claim) => fixPlan(bench.db, claim, bench.clock.now()));
  await leaveAsItIs(bench.db, runId);
  expect(await tidyRun(ports, runId)).toBeNull();
  expect(opened).toBe(0);
});

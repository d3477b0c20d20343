import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { claimForJob } from '../../src/batch-exports/runs/claim.ts';
import { adoptOrphans, enqueueForgotten } from '../../src/batch-exports/runs/orphans.ts';
import { letGo, markSeen } from '../../src/batch-exports/runs/seen.ts';
import { claimRun, setRetrying } from '../../src/batch-exports/runs/store.ts';
import { type ServedBench, serveBench } from './batch-exports-kit.ts';

/** Active runs whose job is gone; which ones have none, the queue tells (src/work/queue.test.ts). */
const HOUR = 3_600_000;
let bench: ServedBench;
let lost: string[] = [];
/** Whose jobs a worker took that was killed then. */
let taken: string[] = [];
beforeAll(async () => {
  bench = await serveBench();
});
afterAll(() => bench.close());
beforeEach(async () => {
  await bench.db.updateTable('batch_export_runs').set({ status: 'Cancelled' }).execute();
  bench.clock.set('2026-03-10T10:20:00Z');
});

const ports = () => ({
  ...bench.ports,
  queue: {
    withoutJob: async (_: unknown, ids: readonly string[], only?: 'waiting') =>
      ids.filter((id) => lost.includes(id) || (only === 'waiting' && taken.includes(id))),
  },
});

/** Runs of `hours` intervals, by id, and no jobs seen yet. */
async function runs(hours: number): Promise<string[]> {
  const { id } = await bench.create();
  bench.clock.advance(hours * HOUR);
  await bench.feature.tick(100);
  const rows = await bench.db
    .selectFrom('batch_export_runs')
    .select('id')
    .where('batch_export_id', '=', id)
    .orderBy('id')
    .execute();
  bench.jobs.length = 0;
  return rows.map((row) => row.id);
}

/** The first attempt failed; the next is `in` milliseconds away. */
async function failOnce(runId: string, inMs: number): Promise<number> {
  const now = bench.clock.now();
  const claim = await claimRun(bench.db, { runId, worker: 'w', now });
  if (!claim) throw new Error('nothing to claim');
  await setRetrying(bench.db, bench.ports.enqueue, claim, { at: now + inMs, error: 'busy', now });
  bench.jobs.length = 0;
  return now + inMs;
}

it('a start adopts what was at work, and what has no job, not before its time', async () => {
  const [late = '', early = '', waiting = '', forgotten = '', working = '', lostEarly = ''] = await runs(6);
  await failOnce(late, 5_000);
  bench.clock.advance(20 * 24 * HOUR);
  await failOnce(early, 60_000);
  const at = await failOnce(lostEarly, 60_000);
  await claimRun(bench.db, { runId: working, worker: 'w', now: bench.clock.now() });
  lost = [forgotten, lostEarly];
  taken = [working, waiting];
  await adoptOrphans(ports());
  taken = [];
  expect(bench.jobs).toEqual([
    { runId: waiting, startAfter: undefined },
    { runId: forgotten, startAfter: undefined },
    { runId: working, startAfter: undefined },
    { runId: lostEarly, startAfter: at },
  ]);
  expect([late, early]).not.toContain('');
});

it('a run that rests too long and has no job gets one, whether it has begun or not', async () => {
  const [begun = '', waiting = '', busy = ''] = await runs(3);
  lost = [begun, waiting];
  await failOnce(begun, 600_000);
  const look = () => enqueueForgotten(ports(), bench.clock.now() - HOUR);
  expect(await look()).toBe(0);
  bench.clock.advance(HOUR + 1);
  expect(await look()).toBe(1);
  expect(bench.jobs).toEqual([{ runId: waiting, startAfter: undefined }]);
  bench.clock.advance(2 * HOUR);
  expect(await look()).toBe(2);
  expect(bench.jobs.map(({ runId }) => runId)).not.toContain(busy);
});

it('a start does not wait for a time that a wrong clock set', async () => {
  const [ahead = ''] = await runs(1);
  lost = [];
  await failOnce(ahead, 3 * 24 * HOUR);
  await adoptOrphans(ports());
  expect(bench.jobs).toEqual([{ runId: ahead, startAfter: undefined }]);
});

it('a clock that is set back in the middle of a wait does not make it longer, nor does one that is a little behind', async () => {
  const [far = '', near = ''] = await runs(2);
  lost = [];
  await failOnce(near, 60_000);
  await failOnce(far, 600_000);
  const look = () => enqueueForgotten(ports(), bench.clock.now() - HOUR);
  bench.clock.advance(-600_000 + 1);
  expect(await look()).toBe(0);
  bench.clock.advance(-1);
  expect(await look()).toBe(1);
  expect(bench.jobs).toEqual([{ runId: far, startAfter: undefined }]);
  const claim = { runId: far, worker: 'w', now: bench.clock.now() };
  expect((await claimForJob({ ...ports(), db: bench.db }, claim))?.attempt).toBe(2);
});

it('of several jobs of a run that waits for its next attempt the last one makes it', async () => {
  const [runId = ''] = await runs(1);
  const at = await failOnce(runId, 60_000);
  const claimed = async (others: boolean) => {
    // The job at hand is one that somebody has taken.
    [lost, taken] = [[], others ? [] : [runId]];
    const claim = { runId, worker: 'w', now: bench.clock.now() };
    return (await claimForJob({ ...ports(), db: bench.db }, claim))?.attempt ?? null;
  };
  expect(await claimed(true)).toBeNull();
  bench.clock.set(new Date(at).toISOString());
  expect(await claimed(true)).toBe(2);
  // It is at work: whoever comes now takes it over.
  expect(await claimed(true)).toBe(3);
  await failOnce(runId, 60_000);
  expect(await claimed(false)).toBe(5);
  await failOnce(runId, 3 * 24 * HOUR);
  expect(await claimed(true)).toBe(7);
});

it('a job that comes while another process is at work on its run is put back, unless that one is dead', async () => {
  const [runId = ''] = await runs(1);
  lost = [];
  const claimed = async (worker: string, spareSeconds = 10) => {
    bench.jobs.length = 0;
    const claim = { runId, worker, now: bench.clock.now(), spareSeconds };
    const attempt = (await claimForJob({ ...ports(), db: bench.db }, claim))?.attempt ?? null;
    const jobs = bench.jobs.map((job) => ({ ...job, startAfter: (job.startAfter ?? 0) - bench.clock.now() }));
    return { attempt, jobs };
  };
  const seen = (secondsAgo: number) =>
    bench.db
      .updateTable('batch_export_runs')
      .set({ seen_at: sql<Date>`now() - make_interval(secs => ${secondsAgo})` })
      .where('id', '=', runId)
      .execute();
  const putBack = { attempt: null, jobs: [{ runId, startAfter: expect.any(Number) }] };
  expect(await claimed('a')).toEqual({ attempt: 1, jobs: [] });
  const early = await claimed('b');
  expect(early).toEqual(putBack);
  // Not before a dead one would count as dead, nor long after.
  expect(early.jobs[0]?.startAfter).toBeGreaterThan(1_000);
  expect(early.jobs[0]?.startAfter).toBeLessThanOrEqual(10_000);
  await seen(11);
  // After an outage nobody was seen lately.
  expect(await claimed('b', 1e9)).toEqual({ attempt: null, jobs: [{ runId, startAfter: 1_000 }] });
  // It says that it lives; what an older claim says counts for nothing.
  await markSeen(bench.db, [{ id: runId, attempt: 1 }]);
  expect(await claimed('b')).toEqual(putBack);
  await seen(11);
  await markSeen(bench.db, [{ id: runId, attempt: 0 }]);
  expect(await claimed('b')).toEqual({ attempt: 2, jobs: [] });
  // Let go of, or seen by a clock that has been set back.
  expect((await claimed('a')).attempt).toBeNull();
  await letGo(bench.db, { id: runId, attempt: 1 });
  expect((await claimed('a')).attempt).toBeNull();
  await letGo(bench.db, { id: runId, attempt: 2 });
  expect((await claimed('a')).attempt).toBe(3);
  await seen(-HOUR / 1000);
  expect((await claimed('b')).attempt).toBe(4);
  // It waits for its next attempt: nobody is at work on it.
  const now = bench.clock.now();
  await setRetrying(
    bench.db,
    bench.ports.enqueue,
    { id: runId, attempt: 4 },
    { at: now, error: 'busy', now },
  );
  expect((await claimed('a')).attempt).toBe(5);
});

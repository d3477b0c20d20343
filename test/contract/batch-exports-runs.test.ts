import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readBacklog } from '../../src/batch-exports/gauges.ts';
import { finishRun } from '../../src/batch-exports/runs/finish.ts';
import { openLedger } from '../../src/batch-exports/runs/ledger.ts';
import { createPlaces } from '../../src/batch-exports/runs/places.ts';
import { fixPlan } from '../../src/batch-exports/runs/plan.ts';
import {
  assertClaim,
  claimRun,
  lostClaims,
  postponeRun,
  setPlanned,
  setProgress,
  setRetrying,
} from '../../src/batch-exports/runs/store.ts';
import { tidyRun } from '../../src/batch-exports/runs/tidy.ts';
import { migrateDatabase } from '../../src/database/migrate.ts';
import type { FileTarget } from '../../src/export/destinations/destination.ts';
import { type Json, type ServedBench, serveBench, toFiles } from './batch-exports-kit.ts';

/** contract.md §7 over HTTP, the store below the worker, and the automatic pause. */
const HOUR = 3_600_000;
/** Where runs of these tests write (FileTarget.place). */
const PLACE = 'files';
let bench: ServedBench;
beforeAll(async () => {
  bench = await serveBench();
});
afterAll(() => bench.close());
beforeEach(() => bench.clock.set('2026-03-10T10:20:00Z'));

/** An export with `hours` runs, all Starting. */
async function withRuns(hours: number): Promise<{ id: string; runs: Json[] }> {
  const { id } = await bench.create();
  bench.clock.advance(hours * HOUR);
  await bench.feature.tick(100);
  return { id, runs: await runsOf(id) };
}

async function runsOf(id: string, query = 'ordering=created_at'): Promise<Json[]> {
  const { status, body } = await bench.call('GET', `batch_exports/${id}/runs/?${query}`);
  expect(status, JSON.stringify(body)).toBe(200);
  return body.results;
}

const claim = async (runId: string) => {
  const claimed = await claimRun(bench.db, { runId, worker: 'w', now: bench.clock.now() });
  if (!claimed) throw new Error('nothing to claim');
  return claimed;
};

const completed = (rows = 3) => ({
  status: 'Completed' as const,
  outcome: {
    files: [{ key: 'events/a.parquet', bytes: 10, rows }],
    rows,
    bytes: 10,
    cleaned: 0,
    proof: {
      source: { rows, fingerprint: null },
      written: { rows, fingerprint: null },
      reread: { rows, fingerprint: null },
    },
  },
});
/** Ports of `tidyRun` for a destination where everything that was ever staged is published; tells what is removed there. */
function tidyPorts(removed: string[]): Parameters<typeof tidyRun>[0] {
  const target: Partial<FileTarget> = {
    place: PLACE,
    discard: async () => {},
    isStaged: async () => true,
    fileOf: async (key) => key,
    get: async () => null,
    remove: async (key) => void removed.push(key),
    sweep: async () => {},
    close: async () => {},
  };
  const files = { format: 'Parquet', compression: null, prefix: 'x', maxFileSizeMb: null };
  const destination = { open: async () => target, files: () => files };
  return {
    ...bench.ports,
    destinations: { get: () => destination },
    destinationPorts: {},
    setup: async () => ({ type: 'Filesystem', config: {}, integration: {} }),
    places: createPlaces(2, bench.clock),
  } as unknown as Parameters<typeof tidyRun>[0];
}

const failed = { status: 'Failed' as const, error: 'The bucket is gone.' };

describe('§7.1 the object', () => {
  it('of a run that has not begun', async () => {
    const { id, runs } = await withRuns(1);
    expect(runs).toEqual([
      {
        id: expect.any(String),
        batch_export: id,
        batch_export_on_demand: null,
        backfill: null,
        status: 'Starting',
        records_completed: null,
        records_failed: null,
        records_total_count: null,
        bytes_exported: null,
        latest_error: null,
        data_interval_start: '2026-03-10T10:00:00Z',
        data_interval_end: '2026-03-10T11:00:00Z',
        cursor: null,
        created_at: '2026-03-10T11:20:00Z',
        finished_at: null,
        last_updated_at: '2026-03-10T11:20:00Z',
        attempt: 0,
        next_attempt_at: null,
        proof: null,
      },
    ]);
  });

  it('shows plan, progress, retry and end as they come', async () => {
    const { id, runs } = await withRuns(1);
    const path = `batch_exports/${id}/runs/${runs[0].id}/`;
    const shown = async () => (await bench.call('GET', path)).body;
    const held = await claim(runs[0].id);
    await fixPlan(bench.db, held, bench.clock.now());
    await setPlanned(bench.db, held, 9, bench.clock.now());
    await setProgress(bench.db, held, { rows: 4, bytes: 40 }, bench.clock.now());
    expect(await shown()).toMatchObject({
      status: 'Running',
      attempt: 1,
      records_total_count: 9,
      records_completed: 4,
      bytes_exported: 40,
    });
    const at = bench.clock.now() + 5000;
    await setRetrying(bench.db, bench.ports.enqueue, held, { at, error: 'busy\0', now: bench.clock.now() });
    expect(await shown()).toMatchObject({
      status: 'Running',
      latest_error: 'busy',
      next_attempt_at: new Date(at).toISOString().replace('.000', ''),
    });
    expect(bench.jobs.at(-1)).toEqual({ runId: runs[0].id, startAfter: at });
    await finishRun(bench.ports, await claim(runs[0].id), completed(9));
    expect(await shown()).toMatchObject({
      status: 'Completed',
      attempt: 2,
      latest_error: null,
      next_attempt_at: null,
      records_completed: 9,
      records_total_count: 9,
      finished_at: '2026-03-10T11:20:00Z',
      proof: { source: { rows: 9 }, written: { rows: 9 }, reread: { rows: 9 }, cleaned: 0 },
    });
    const { body: parent } = await bench.call('GET', `batch_exports/${id}`);
    expect(parent.latest_runs).toEqual([{ ...(await shown()), proof: null }]);
    const { body: logs } = await bench.call('GET', `${path}logs/`);
    expect(logs.results).toMatchObject([{ instance_id: runs[0].id, level: 'INFO' }]);
  });
});

describe('§7.2 the list', () => {
  it('pages through ties, each run once, in both directions', async () => {
    const { id } = await withRuns(230);
    const walk = async (path: string | null, towards: 'next' | 'previous'): Promise<Json[][]> => {
      const pages: Json[][] = [];
      for (let at = path; at !== null; ) {
        const { body }: { body: Json } = await bench.call('GET', at);
        expect(Object.keys(body)).toEqual(['next', 'previous', 'results']);
        pages.push(body.results);
        at = body[towards];
      }
      return pages;
    };
    // All were created by one tick: created_at says nothing about their order.
    const pages = await walk(`batch_exports/${id}/runs/?limit=3`, 'next');
    expect(pages.map((page) => page.length)).toEqual([100, 100, 30]);
    const ids = pages.flat().map((run) => run.id);
    expect(ids).toEqual(ids.toSorted().toReversed());
    expect(new Set(ids).size).toBe(230);
    const { body: second } = await bench.call(
      'GET',
      (await bench.call('GET', `batch_exports/${id}/runs`)).body.next,
    );
    const back = await walk(second.previous, 'previous');
    expect(back.flat().map((run) => run.id)).toEqual(ids.slice(0, 100));
  });

  it('orders by interval within its own window', async () => {
    const { id } = await withRuns(5);
    const starts = async (query: string) =>
      (await runsOf(id, query)).map((run) => run.data_interval_start.slice(11, 13));
    expect(await starts('ordering=data_interval_start')).toEqual(['10', '11', '12', '13', '14']);
    expect(await starts('ordering=-data_interval_start&start=-3h')).toEqual(['14', '13']);
    expect(
      await starts('ordering=data_interval_start&end=2026-03-10T12:00:00Z&after=now&before=-7d'),
    ).toEqual(['10', '11']);
    expect(await starts('ordering=nonsense&start=now')).toHaveLength(5);
    expect(await starts('after=-1h&before=')).toHaveLength(5);
    expect(await starts('before=-1h')).toEqual([]);
  });

  it('shows the last seven days unless asked, and a run itself however old', async () => {
    const { id, runs } = await withRuns(1);
    bench.clock.advance(8 * 24 * HOUR);
    expect(await runsOf(id, '')).toEqual([]);
    expect(await runsOf(id, 'after=-9d')).toHaveLength(1);
    expect((await bench.call('GET', `batch_exports/${id}/runs/${runs[0].id}`)).status).toBe(200);
  });

  it('filters by status, given several times', async () => {
    const { id, runs } = await withRuns(3);
    await bench.call('POST', `batch_exports/${id}/runs/${runs[0].id}/cancel`);
    await finishRun(bench.ports, await claim(runs[1].id), failed);
    const statuses = async (query: string) =>
      (await runsOf(id, `ordering=data_interval_start&${query}`)).map((run) => run.status);
    expect(await statuses('status=Failed&status=Cancelled')).toEqual(['Cancelled', 'Failed']);
    expect(await statuses('status=Starting')).toEqual(['Starting']);
    expect(await statuses('status=TimedOut')).toEqual([]);
    const { status, body } = await bench.call('GET', `batch_exports/${id}/runs?status=Done`);
    expect([status, body]).toMatchObject([400, { code: 'invalid_choice', attr: 'status__0' }]);
  });

  it('of an unknown export is empty; a malformed id, cursor or run is not found', async () => {
    const unknown = '019a5b2e-6f7c-0000-8a41-6d1f9a2b7c10';
    const { id } = await withRuns(1);
    expect(await runsOf(unknown)).toEqual([]);
    for (const path of [
      'batch_exports/x/runs',
      `batch_exports/${id}/runs?cursor=x`,
      `batch_exports/${id}/runs/${unknown}`,
    ]) {
      const { status, body } = await bench.call('GET', path);
      expect([status, body.code]).toEqual([404, 'not_found']);
    }
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      expect((await bench.call(method, `batch_exports/${id}/runs`, {})).status).toBe(405);
      expect((await bench.call(method, `batch_exports/${id}/runs/${unknown}`, {})).status).toBe(405);
    }
  });
});

describe('§7.2 cancel', () => {
  it('cancels what is active, once, and fences the worker', async () => {
    const { id, runs } = await withRuns(1);
    const held = await claim(runs[0].id);
    const path = `batch_exports/${id}/runs/${runs[0].id}`;
    expect(await bench.call('POST', `${path}/cancel/`, runs[0])).toEqual({
      status: 200,
      body: { cancelled: true },
    });
    expect(bench.cancelled).toContain(runs[0].id);
    const { body } = await bench.call('GET', path);
    expect(body).toMatchObject({ status: 'Cancelled', finished_at: '2026-03-10T11:20:00Z' });
    await expect(assertClaim(bench.db, held)).rejects.toMatchObject({ code: 'run_cancelled' });
    await expect(finishRun(bench.ports, held, completed())).rejects.toMatchObject({ code: 'run_cancelled' });
    expect(await lostClaims(bench.db, [held])).toMatchObject([
      { id: held.id, why: { code: 'run_cancelled' } },
    ]);
    const again = await bench.call('POST', `${path}/cancel`);
    expect([again.status, again.body]).toMatchObject([400, { code: 'invalid_input', attr: null }]);
    expect((await bench.call('GET', path)).body).toEqual(body);
  });
});

describe('a run that is replacing the files of an earlier one', () => {
  /** A repeated run that has begun to. */
  async function replacing() {
    const { id, runs } = await withRuns(1);
    await finishRun(bench.ports, await claim(runs[0].id), { ...completed(), place: PLACE });
    await bench.call('POST', `batch_exports/${id}/runs/${runs[0].id}/retry`);
    const run = (await runsOf(id)).find((each) => each.backfill !== null);
    const held = await claim(run.id);
    await openLedger(bench.db, bench.clock, held, PLACE).beginReplacing();
    const status = async () =>
      (await bench.db.selectFrom('batch_export_runs').selectAll().where('id', '=', run.id).execute())[0]
        ?.status;
    return { id, run, held, status };
  }

  it('is not cancelled, and not repeated before it has ended', async () => {
    const { id, run, held, status } = await replacing();
    const path = `batch_exports/${id}/runs/${run.id}`;
    const refused = await bench.call('POST', `${path}/cancel`);
    expect([refused.status, refused.body.code]).toEqual([400, 'invalid_input']);
    expect((await bench.call('POST', `${path}/retry`)).status).toBe(409);
    expect(await status()).toBe('Running');
    const later = await claim(run.id);
    await expect(openLedger(bench.db, bench.clock, held, PLACE).isReplacing()).rejects.toMatchObject({
      code: 'run_superseded',
    });
    expect(await openLedger(bench.db, bench.clock, later, PLACE).isReplacing()).toBe(true);
    await finishRun(bench.ports, later, completed());
    expect((await bench.call('POST', `${path}/retry`)).status).toBe(201);
  });

  it('ends by itself when its backfill is cancelled, or its export deleted', async () => {
    const first = await replacing();
    await bench.call('POST', `batch_exports/${first.id}/backfills/${first.run.backfill}/cancel`);
    const second = await replacing();
    expect((await bench.call('DELETE', `batch_exports/${second.id}`)).status).toBe(204);
    for (const { held, status, run } of [first, second]) {
      expect(bench.cancelled).not.toContain(run.id);
      expect(await status()).toBe('Running');
      await finishRun(bench.ports, held, completed());
      expect(await status()).toBe('Completed');
    }
    const { body } = await bench.call('GET', `batch_exports/${first.id}/backfills/${first.run.backfill}`);
    expect(body.status).toBe('Cancelled');
  });

  it('keeps its files when it fails for good: those that it was to replace may be gone', async () => {
    const { held } = await replacing();
    const entry = {
      slice: { part: 0, of: 1 },
      rows: 3,
      bytes: 10,
      staged: { key: 'events/b.parquet', bytes: 10, token: {} },
    };
    const ledger = openLedger(bench.db, bench.clock, held, PLACE);
    await ledger.record(entry);
    await finishRun(bench.ports, held, failed);
    const removed: string[] = [];
    expect(await tidyRun(tidyPorts(removed), held.id)).toBeNull();
    expect(removed).toEqual([]);
    expect(await ledger.entries()).toEqual([entry]);
  });
});

describe('§7.2 retry', () => {
  it('repeats the interval in a backfill of its own, and replaces the files', async () => {
    const { id, runs } = await withRuns(1);
    const first = await claim(runs[0].id);
    const plan = await fixPlan(bench.db, first, bench.clock.now());
    const staged = { key: 'events/a.parquet', bytes: 10, token: {} };
    const slice = { part: 0, of: 1 };
    await openLedger(bench.db, bench.clock, first, PLACE).record({ slice, rows: 3, bytes: 10, staged });
    await finishRun(bench.ports, first, { ...completed(), place: PLACE });
    const { status, body } = await bench.call(
      'POST',
      `batch_exports/${id}/runs/${runs[0].id}/retry/`,
      runs[0],
    );
    expect([status, body]).toEqual([
      201,
      { backfill_id: `${id}-Backfill-2026-03-10T10:00:00+00:00-2026-03-10T11:00:00+00:00` },
    ]);
    const [again] = (await runsOf(id)).filter((run) => run.backfill !== null);
    expect(again).toMatchObject({ status: 'Starting', data_interval_start: runs[0].data_interval_start });
    expect(bench.jobs.at(-1)?.runId).toBe(again.id);
    const conflict = await bench.call('POST', `batch_exports/${id}/runs/${runs[0].id}/retry`);
    expect([conflict.status, conflict.body.code]).toEqual([409, 'conflict']);
    const second = await claim(again.id);
    expect(await fixPlan(bench.db, second, bench.clock.now())).toEqual(plan);
    const ledger = openLedger(bench.db, bench.clock, second, PLACE);
    expect(await ledger.previousKeys()).toEqual(['events/a.parquet']);
    expect(await ledger.replaced()).toEqual([{ key: 'events/a.parquet', listed: true }]);
    expect(await ledger.marks()).toEqual({ runIds: [runs[0].id, second.id], receipts: [staged] });
    expect(await ledger.previousSlices()).toEqual([{ slice, key: 'events/a.parquet' }]);
    await finishRun(bench.ports, second, completed());
    const { body: backfill } = await bench.call('GET', `batch_exports/${id}/backfills/${again.backfill}`);
    expect(backfill).toMatchObject({ status: 'Completed', total_records_count: 3 });
  });

  describe('replaces the files of the newest run that completed', () => {
    /** Claims and ends the run with one file at a place. */
    const deliver = async (runId: string, key: string, place?: string): Promise<void> => {
      const { outcome } = completed();
      const files = [{ key, bytes: 10, rows: 3 }];
      bench.clock.advance(1000);
      const ending = { status: 'Completed' as const, outcome: { ...outcome, files } };
      await finishRun(bench.ports, await claim(runId), place === undefined ? ending : { ...ending, place });
    };
    const repeat = async (id: string, runId: string): Promise<string> => {
      expect((await bench.call('POST', `batch_exports/${id}/runs/${runId}/retry`)).status).toBe(201);
      return (await runsOf(id)).findLast((run) => run.backfill !== null).id;
    };
    const ledgerAt = async (runId: string, place = PLACE) =>
      openLedger(bench.db, bench.clock, await claim(runId), place);

    it('and of no older one: that one has removed theirs', async () => {
      const { id, runs } = await withRuns(1);
      await deliver(runs[0].id, 'x/a.parquet', PLACE);
      const second = await repeat(id, runs[0].id);
      await deliver(second, 'y/a.parquet', PLACE);
      const third = await repeat(id, runs[0].id);
      expect(await (await ledgerAt(third)).replaced()).toEqual([{ key: 'y/a.parquet', listed: true }]);
    });

    it('also when the clock was set back in between', async () => {
      const { id, runs } = await withRuns(1);
      await deliver(runs[0].id, 'x/a.parquet', PLACE);
      const again = async () => {
        await bench.call('POST', `batch_exports/${id}/runs/${runs[0].id}/retry`);
        const { id: newest } = await bench.db
          .selectFrom('batch_export_runs')
          .select('id')
          .where('batch_export_id', '=', id)
          .where('status', '=', 'Starting')
          .executeTakeFirstOrThrow();
        return newest;
      };
      bench.clock.advance(-HOUR);
      await deliver(await again(), 'y/a.parquet', PLACE);
      bench.clock.advance(-HOUR);
      await deliver(await again(), 'z/a.parquet', PLACE);
      const fourth = await again();
      expect((await (await ledgerAt(fourth)).replaced()).map(({ key }) => key)).toEqual(['z/a.parquet']);
    });

    it('where it writes itself, and nowhere else', async () => {
      const { id, runs } = await withRuns(1);
      await deliver(runs[0].id, 'x/a.parquet', 's3:one');
      const second = await repeat(id, runs[0].id);
      const there = await ledgerAt(second, 's3:one');
      expect(await there.previousKeys()).toEqual(['x/a.parquet']);
      const elsewhere = await ledgerAt(second, 's3:other');
      expect([await elsewhere.replaced(), await elsewhere.previousKeys()]).toEqual([[], []]);
      expect(await elsewhere.previousSlices()).toEqual([]);
    });

    it('of earlier versions, when they were configured for the same bucket, of a store that is no Amazon by the same integration', async () => {
      const { id, runs } = await withRuns(1);
      await deliver(runs[0].id, 'x/a.parquet');
      const second = await repeat(id, runs[0].id);
      const configure = async (runId: string, bucket: string, integrationId = 1, type = 'AwsS3') => {
        const config = { bucket_name: bucket, prefix: 'x', file_format: 'Parquet' };
        const snapshot = { model: 'events', destination: { type, config, integrationId } };
        await bench.db
          .updateTable('batch_export_runs')
          .set({ snapshot: JSON.stringify(snapshot) })
          .where('id', '=', runId)
          .execute();
      };
      await configure(runs[0].id, 'one');
      await configure(second, 'one');
      const replaced = async () => (await ledgerAt(second, 's3:one')).replaced();
      // A single file without a size limit has no manifest: one that lies there is somebody else's.
      expect(await replaced()).toMatchObject([{ key: 'x/a.parquet', listed: false }]);
      await configure(second, 'other');
      expect(await replaced()).toEqual([]);
      // Another key for the same bucket.
      await configure(second, 'one', 2);
      expect(await replaced()).toHaveLength(1);
      await configure(runs[0].id, 'one', 1, 'S3Compatible');
      await configure(second, 'one', 1, 'S3Compatible');
      expect(await replaced()).toHaveLength(1);
      await configure(second, 'one', 2, 'S3Compatible');
      expect(await replaced()).toEqual([]);
    });

    it('of earlier versions on the server’s own disk, in the root alone: no organization had a folder', async () => {
      const { id, runs } = await withRuns(1);
      await deliver(runs[0].id, 'x/a.parquet');
      const second = await repeat(id, runs[0].id);
      expect(await (await ledgerAt(second, 'files')).replaced()).toHaveLength(1);
      expect(await (await ledgerAt(second, 'files:organization-x')).replaced()).toEqual([]);
    });

    it('and those of a later one that failed while it was replacing them', async () => {
      const { id, runs } = await withRuns(1);
      await deliver(runs[0].id, 'x/a.parquet', PLACE);
      const second = await claim(await repeat(id, runs[0].id));
      const staged = { key: 'y/a.parquet', bytes: 10, token: {} };
      const ledger = openLedger(bench.db, bench.clock, second, PLACE);
      await ledger.record({ slice: { part: 0, of: 1 }, rows: 3, bytes: 10, staged });
      expect(await ledger.isReplacing()).toBe(false);
      await ledger.beginReplacing();
      expect(await ledger.isReplacing()).toBe(true);
      bench.clock.advance(1000);
      await finishRun(bench.ports, second, failed);
      const third = await ledgerAt(await repeat(id, runs[0].id));
      expect((await third.replaced()).map(({ key }) => key)).toEqual(['y/a.parquet', 'x/a.parquet']);
    });

    it('known by the receipt of a run in between, cancelled after it had published over them', async () => {
      const { id, runs } = await withRuns(1);
      await deliver(runs[0].id, 'x/a.parquet', PLACE);
      const second = await claim(await repeat(id, runs[0].id));
      const entry = (part: number, key: string) => ({
        slice: { part, of: 2 },
        rows: 3,
        bytes: 10,
        staged: { key, bytes: 10, token: { of: 'second' } },
      });
      const ledger = openLedger(bench.db, bench.clock, second, PLACE);
      await ledger.record(entry(0, 'x/a.parquet'));
      await ledger.record(entry(1, 'x/b.parquet'));
      await bench.call('POST', `batch_exports/${id}/runs/${second.id}/cancel`);
      const removed: string[] = [];
      await tidyRun(tidyPorts(removed), second.id);
      await tidyRun(tidyPorts(removed), second.id);
      expect(new Set(removed)).toEqual(new Set(['x/b.parquet']));

      const third = await claim(await repeat(id, runs[0].id));
      const later = openLedger(bench.db, bench.clock, third, PLACE);
      const own = { key: 'y/a.parquet', bytes: 10, token: { of: 'third' } };
      await later.record({ ...entry(0, own.key), staged: own });
      expect(await later.replaced()).toEqual([{ key: 'x/a.parquet', listed: true }]);
      const marks = await later.marks();
      expect(marks.runIds.toSorted()).toEqual([runs[0].id, second.id, third.id].toSorted());
      expect(marks.receipts).toEqual([entry(0, 'x/a.parquet').staged, own]);
    });

    it('cut as that one was, but for what it had to begin afresh', async () => {
      const { id, runs } = await withRuns(1);
      const first = await claim(runs[0].id);
      const ledger = openLedger(bench.db, bench.clock, first, PLACE);
      const entry = (part: number, of: number) => ({
        slice: { part, of },
        rows: 3,
        bytes: 10,
        staged: { key: `x/${part}.parquet`, bytes: 10, token: {} },
      });
      await ledger.record(entry(0, 2));
      await ledger.withdraw();
      await ledger.record(entry(1, 3));
      await finishRun(bench.ports, first, { ...completed(), place: PLACE });
      const again = await ledgerAt(await repeat(id, runs[0].id));
      expect(await again.previousSlices()).toEqual([{ slice: { part: 1, of: 3 }, key: 'x/1.parquet' }]);
    });

    it('but a run that repeats nothing replaces nothing; what repeated it is kept when it takes itself back', async () => {
      const { id, runs } = await withRuns(1);
      const stands = await ledgerAt(runs[0].id);
      await deliver(await repeat(id, runs[0].id), 'x/a.parquet', PLACE);
      expect(await stands.replaced()).toEqual([]);
      expect(await stands.previousKeys()).toEqual(['x/a.parquet']);
    });
  });

  it('cancels the run first when it is still active', async () => {
    const { id, runs } = await withRuns(1);
    const held = await claim(runs[0].id);
    await bench.call('POST', `batch_exports/${id}/runs/${runs[0].id}/retry`);
    await expect(setPlanned(bench.db, held, 1, 0)).rejects.toMatchObject({ code: 'run_cancelled' });
    const statuses = (await runsOf(id)).map((run) => run.status);
    expect(statuses).toEqual(['Cancelled', 'Starting']);
  });
});

describe('claims', () => {
  it('the newer one fences the older one off, whatever it tries', async () => {
    const { runs } = await withRuns(1);
    const old = await claim(runs[0].id);
    const entry = {
      slice: { part: 0, of: 2 },
      rows: 5,
      bytes: 50,
      staged: { key: 'k', bytes: 50, token: { a: 1 } },
    };
    await openLedger(bench.db, bench.clock, old, PLACE).record(entry);
    const held = await claim(runs[0].id);
    expect(held.attempt).toBe(old.attempt + 1);
    const ledger = openLedger(bench.db, bench.clock, held, PLACE);
    expect(await ledger.entries()).toEqual([entry]);
    const { enqueue } = bench.ports;
    const superseded = { code: 'run_superseded' };
    const stale = openLedger(bench.db, bench.clock, old, PLACE);
    await expect(stale.record({ ...entry, rows: 6 })).rejects.toMatchObject(superseded);
    await expect(stale.forget(entry.slice)).rejects.toMatchObject(superseded);
    await expect(stale.assertOwned()).rejects.toMatchObject(superseded);
    await expect(stale.withdraw()).rejects.toMatchObject(superseded);
    await expect(postponeRun(bench.db, enqueue, old, { at: 1, now: 0 })).rejects.toMatchObject(superseded);
    await expect(setRetrying(bench.db, enqueue, old, { at: 1, error: '', now: 0 })).rejects.toMatchObject(
      superseded,
    );
    await expect(finishRun(bench.ports, old, completed())).rejects.toMatchObject(superseded);
    expect(await lostClaims(bench.db, [old, held])).toMatchObject([
      { id: old.id, attempt: old.attempt, why: superseded },
    ]);
    expect(await ledger.entries()).toEqual([entry]);
    await ledger.record({ ...entry, rows: 7 });
    expect(await ledger.entries()).toEqual([{ ...entry, rows: 7 }]);
    await ledger.forget(entry.slice);
    await ledger.forget(entry.slice);
    expect(await ledger.entries()).toEqual([]);
  });

  it('withdraw what a run recorded, also when it was cancelled, but not when it is Completed', async () => {
    const { id, runs } = await withRuns(2);
    const entry = {
      slice: { part: 0, of: 1 },
      rows: 5,
      bytes: 50,
      staged: { key: 'k', bytes: 50, token: { a: 1 } },
    };
    const withdrawn = { ...entry, withdrawn: true };
    const [first, second] = [await claim(runs[0].id), await claim(runs[1].id)];
    const ledger = openLedger(bench.db, bench.clock, first, PLACE);
    await ledger.record(entry);
    expect(await ledger.withdraw()).toEqual([withdrawn]);
    expect(await ledger.withdraw()).toEqual([withdrawn]);
    expect(await openLedger(bench.db, bench.clock, await claim(first.id), PLACE).entries()).toEqual([
      withdrawn,
    ]);
    const newer = openLedger(bench.db, bench.clock, { id: first.id, attempt: first.attempt + 1 }, PLACE);
    await newer.record(entry);
    expect(await newer.entries()).toEqual([entry]);
    await bench.call('POST', `batch_exports/${id}/runs/${first.id}/cancel`);
    expect(await newer.withdraw()).toEqual([withdrawn]);
    await finishRun(bench.ports, second, completed());
    await expect(openLedger(bench.db, bench.clock, second, PLACE).withdraw()).rejects.toMatchObject({
      code: 'run_superseded',
    });
  });

  it('count failures apart: a wait for the watermark is none, nor is being taken over', async () => {
    const { runs } = await withRuns(1);
    const { enqueue } = bench.ports;
    const times = { at: bench.clock.now(), now: bench.clock.now() };
    for (let n = 0; n < 3; n++) await postponeRun(bench.db, enqueue, await claim(runs[0].id), times);
    expect(bench.jobs.at(-1)).toEqual({ runId: runs[0].id, startAfter: times.at });
    expect(await claim(runs[0].id)).toMatchObject({ attempt: 4, failures: 0 });
    await setRetrying(bench.db, enqueue, await claim(runs[0].id), { ...times, error: 'busy' });
    await setRetrying(bench.db, enqueue, await claim(runs[0].id), { ...times, error: 'ours', bug: true });
    expect(await claim(runs[0].id)).toMatchObject({ attempt: 7, failures: 2, bugs: 1 });
  });

  it('say once why a run waits, unless it has shown an error of its own', async () => {
    const { id, runs } = await withRuns(2);
    const { enqueue } = bench.ports;
    const times = { at: bench.clock.now(), now: bench.clock.now() };
    const reason = 'The store is away.';
    const shown = async (runId: string) =>
      (await bench.call('GET', `batch_exports/${id}/runs/${runId}`)).body.latest_error;
    await setRetrying(bench.db, enqueue, await claim(runs[1].id), { ...times, error: 'refused' });
    for (const run of runs) {
      await postponeRun(bench.db, enqueue, await claim(run.id), times);
      await postponeRun(bench.db, enqueue, await claim(run.id), { ...times, reason });
      await postponeRun(bench.db, enqueue, await claim(run.id), { ...times, reason });
    }
    expect([await shown(runs[0].id), await shown(runs[1].id)]).toEqual([reason, 'refused']);
    const lines = await bench.db
      .selectFrom('log_entries')
      .selectAll()
      .where('message', '=', reason)
      .execute();
    expect(lines.map(({ instance_id: run, level }) => [run, level])).toEqual([[runs[0].id, 'WARNING']]);
    await finishRun(bench.ports, await claim(runs[0].id), completed());
    expect(await shown(runs[0].id)).toBeNull();
  });

  it('count those in a row of which nothing was heard: with the process dead, or gone', async () => {
    const { runs } = await withRuns(1);
    const { enqueue } = bench.ports;
    const times = { at: bench.clock.now(), now: bench.clock.now() };
    const silent = async () => (await claim(runs[0].id)).silentClaims;
    expect([await silent(), await silent(), await silent()]).toEqual([0, 1, 2]);
    await postponeRun(bench.db, enqueue, await claim(runs[0].id), times);
    expect([await silent(), await silent()]).toEqual([0, 1]);
    await setRetrying(bench.db, enqueue, await claim(runs[0].id), { ...times, error: 'busy' });
    expect([await silent(), await silent()]).toEqual([0, 1]);
    const again = async () => {
      const times = { worker: 'w', now: bench.clock.now(), again: true };
      return (await claimRun(bench.db, { runId: runs[0].id, ...times }))?.silentClaims;
    };
    // The same process, after an outage of the database.
    expect([await again(), await again(), await silent()]).toEqual([1, 1, 2]);
    await postponeRun(bench.db, enqueue, await claim(runs[0].id), times);
    expect([await again(), await silent()]).toEqual([0, 1]);
    const still = { ...times, error: 'silent', silentClaims: 4 };
    await setRetrying(bench.db, enqueue, await claim(runs[0].id), still);
    expect([await silent(), await silent()]).toEqual([4, 5]);
  });

  it('after an outage take a run back only if no other worker has claimed it since', async () => {
    const { runs } = await withRuns(1);
    const runId = runs[0].id;
    const claimed = async (worker: string, held?: number) =>
      (await claimRun(bench.db, { runId, worker, now: bench.clock.now(), again: true, held: held ?? null }))
        ?.attempt;
    expect([await claimed('a'), await claimed('a', 1)]).toEqual([1, 2]);
    // The reply to its claim was lost.
    expect(await claimed('a', 1)).toBe(3);
    expect([await claimed('b'), await claimed('a', 3), await claimed('b', 4)]).toEqual([4, undefined, 5]);
  });

  it('of runs that ended or never were give nothing', async () => {
    const { id, runs } = await withRuns(1);
    await bench.call('POST', `batch_exports/${id}/runs/${runs[0].id}/cancel`);
    const nothing = { worker: 'w', now: 0 };
    expect(await claimRun(bench.db, { runId: runs[0].id, ...nothing })).toBeNull();
    expect(await claimRun(bench.db, { runId: crypto.randomUUID(), ...nothing })).toBeNull();
  });

  it('tell what a run needs', async () => {
    const { id, runs } = await withRuns(1);
    expect(await claim(runs[0].id)).toEqual({
      id: runs[0].id,
      attempt: 1,
      failures: 0,
      bugs: 0,
      silentClaims: 0,
      latestError: null,
      teamId: bench.teamId,
      exportId: id,
      backfillId: null,
      interval: { start: Date.parse('2026-03-10T10:00:00Z'), end: Date.parse('2026-03-10T11:00:00Z') },
      readableFrom: Date.parse('2026-03-10T11:00:00Z'),
      snapshot: {
        model: 'events',
        interval: 'hour',
        timezone: 'UTC',
        destination: { type: 'Filesystem', config: toFiles().destination.config, integrationId: null },
        filters: null,
        hogqlQuery: null,
        hogqlModifiers: null,
        primaryKey: null,
        versionKey: null,
        incrementalMode: 'APPEND',
      },
      plan: null,
      createdAt: Date.parse('2026-03-10T11:20:00Z'),
    });
  });
});

describe('three failures in a row', () => {
  it('pause the export, tell why, and cancel its backfills', async () => {
    const { id, runs } = await withRuns(4);
    const start_at = '2026-03-01T00:00:00Z';
    await bench.call('POST', `batch_exports/${id}/backfills`, { start_at, end_at: '2026-03-01T05:00:00Z' });
    const end = async (run: Json) => await finishRun(bench.ports, await claim(run.id), failed);
    for (const run of runs.slice(0, 2)) expect(await end(run)).toEqual({ paused: false });
    expect((await bench.call('GET', `batch_exports/${id}`)).body.paused).toBe(false);
    expect(await end(runs[2])).toEqual({ paused: true });
    expect((await bench.call('GET', `batch_exports/${id}`)).body).toMatchObject({
      paused: true,
      last_paused_at: '2026-03-10T14:20:00Z',
    });
    const { body: backfills } = await bench.call('GET', `batch_exports/${id}/backfills`);
    expect(backfills.results).toMatchObject([{ status: 'Cancelled' }]);
    const { body: logs } = await bench.call('GET', `batch_exports/${id}/logs?level=WARNING`);
    expect(logs.results.some((line: Json) => line.message.startsWith('Paused:'))).toBe(true);
    expect((await runsOf(id)).filter((run) => run.status === 'Starting')).toMatchObject([{ id: runs[3].id }]);
  });

  it.each<[string, (id: string) => Promise<unknown>]>([
    ['unpaused', (id) => bench.call('POST', `batch_exports/${id}/unpause`)],
    ['edited to run', (id) => bench.call('PATCH', `batch_exports/${id}`, { paused: false })],
    ['deleted', (id) => bench.call('DELETE', `batch_exports/${id}`)],
  ])('are told by a gauge until the export is %s', async (_, leave) => {
    const told = async () => (await readBacklog(bench.db)).pausedByFailures;
    const before = await told();
    const { id, runs } = await withRuns(4);
    for (const run of runs.slice(0, 3)) await finishRun(bench.ports, await claim(run.id), failed);
    expect(await told()).toBe(before + 1);
    // Who only looks has not mended it.
    await bench.call('POST', `batch_exports/${id}/pause`);
    await bench.call('PATCH', `batch_exports/${id}`, { name: 'looked at' });
    expect(await told()).toBe(before + 1);
    await leave(id);
    await bench.call('POST', `batch_exports/${id}/pause`);
    expect(await told(), 'a pause of somebody’s').toBe(before);
  });

  it('of before there was that gauge are known by the log', async () => {
    const { id, runs } = await withRuns(3);
    const paused = await bench.create({ paused: true, last_paused_at: '2026-03-01T00:00:00Z' });
    for (const run of runs) await finishRun(bench.ports, await claim(run.id), failed);
    const marked = async () => {
      const rows = await bench.db
        .selectFrom('batch_exports')
        .select('id')
        .where('paused_by_failures', '=', true)
        .execute();
      return rows.map((row) => row.id);
    };
    expect(await marked()).toContain(id);
    await sql`alter table batch_exports drop column paused_by_failures`.execute(bench.db);
    await sql`delete from sluice_migrations where name like '0023%'`.execute(bench.db);
    await migrateDatabase(bench.db);
    expect(await marked()).toContain(id);
    expect(await marked()).not.toContain(paused.id);
  });

  it('count anew after a success, an edit or an unpause', async () => {
    const { id, runs } = await withRuns(8);
    const paused = async () => (await bench.call('GET', `batch_exports/${id}`)).body.paused;
    const end = async (n: number, ending: typeof failed | ReturnType<typeof completed>) => {
      bench.clock.advance(1000);
      await finishRun(bench.ports, await claim(runs[n].id), ending);
    };
    await end(0, failed);
    await end(1, failed);
    await end(2, completed());
    await end(3, failed);
    await end(4, failed);
    expect(await paused()).toBe(false);
    bench.clock.advance(1000);
    await bench.call('PATCH', `batch_exports/${id}`, { name: 'mended' });
    await end(5, failed);
    await end(6, failed);
    expect(await paused()).toBe(false);
    await end(7, failed);
    expect(await paused()).toBe(true);
  });

  describe('name what they cancelled, and the next catch-up takes it over', () => {
    const active = async (id: string) => (await runsOf(id)).filter((run) => run.status === 'Starting');
    const plannedAndEnded = async (run: Json, ending: typeof failed | ReturnType<typeof completed>) => {
      bench.clock.advance(1000);
      const held = await claim(run.id);
      await fixPlan(bench.db, held, bench.clock.now());
      await finishRun(bench.ports, held, ending);
    };
    const warnings = async (id: string): Promise<string[]> =>
      (await bench.call('GET', `batch_exports/${id}/logs?level=WARNING`)).body.results.map(
        (line: Json) => line.message,
      );
    const covered = async (id: string): Promise<string[]> => {
      const runs = await runsOf(id, 'ordering=data_interval_start&start=2026-03-01');
      return runs
        .filter((run) => run.status === 'Completed')
        .map((run) => `${run.data_interval_start.slice(8, 13)} ${run.data_interval_end.slice(8, 13)}`);
    };
    const hour = (n: number) =>
      new Date(Date.parse('2026-03-10T10:00:00Z') + n * HOUR).toISOString().slice(8, 13);

    beforeEach(async () => {
      const ended = { status: 'Cancelled' };
      await bench.db
        .updateTable('batch_export_backfills')
        .set(ended)
        .where('status', '!=', 'Completed')
        .execute();
    });

    it('by arrival, as often as that happens, but for what was repeated meanwhile', async () => {
      const { id } = await bench.create();
      await bench.call('POST', `batch_exports/${id}/pause`);
      bench.clock.advance(24 * HOUR);
      await bench.call('POST', `batch_exports/${id}/unpause`, { backfill: true });
      const [first] = await active(id);
      for (let n = 0; n < 3; n++) await plannedAndEnded((await active(id))[0], failed);
      expect((await bench.call('GET', `batch_exports/${id}`)).body.paused).toBe(true);
      const { body: listed } = await bench.call('GET', `batch_exports/${id}/backfills`);
      const paused = await warnings(id);
      expect(paused).toContainEqual(
        expect.stringMatching(/^Paused: .* 1 backfill was cancelled.*unpause with/),
      );
      expect(paused).toContainEqual(
        `The pause cancelled the backfill ${listed.results[0].id}, which had yet to export ` +
          '2026-03-10T10:00:00.000Z to 2026-03-11T10:00:00.000Z. Unpause with {"backfill": true} to make up for it.',
      );
      await bench.call('POST', `batch_exports/${id}/runs/${first.id}/retry`);
      for (const run of await active(id)) await plannedAndEnded(run, completed());
      bench.clock.advance(2 * HOUR);
      // The cause is not mended yet: the second one is cancelled, too.
      await bench.call('POST', `batch_exports/${id}/unpause`, { backfill: true });
      for (let n = 0; n < 3; n++) await plannedAndEnded((await active(id))[0], failed);
      bench.clock.advance(HOUR);
      await bench.call('POST', `batch_exports/${id}/unpause`, { backfill: true });
      for (let some = await active(id); some.length > 0; some = await active(id)) {
        for (const run of some) await plannedAndEnded(run, completed());
        // The next one in line.
        await bench.feature.tick(100);
      }
      const all = Array.from({ length: 27 }, (_, n) => `${hour(n)} ${hour(n + 1)}`);
      expect((await covered(id)).toSorted()).toEqual(all);
    });

    it('by arrival, also what a version cancelled that kept nothing of it, once', async () => {
      const { id } = await bench.create();
      const backfills = () => bench.db.selectFrom('batch_export_backfills').where('batch_export_id', '=', id);
      const lost = async () =>
        (await backfills().select('id').where('unfinished', '=', true).execute()).length;
      const told = async () => (await warnings(id)).filter((line) => line.startsWith('The automatic pause'));
      const update = async () => {
        await sql`delete from sluice_migrations where name like '0025%'`.execute(bench.db);
        await migrateDatabase(bench.db);
      };
      await bench.call('POST', `batch_exports/${id}/pause`);
      bench.clock.advance(3 * HOUR);
      await bench.call('POST', `batch_exports/${id}/unpause`, { backfill: true });
      const [cancelledByHand] = (await bench.call('GET', `batch_exports/${id}/backfills`)).body.results;
      await bench.call('POST', `batch_exports/${id}/backfills/${cancelledByHand.id}/cancel`);
      await bench.call('POST', `batch_exports/${id}/pause`);
      bench.clock.advance(24 * HOUR);
      await bench.call('POST', `batch_exports/${id}/unpause`, { backfill: true });
      for (let n = 0; n < 3; n++) await plannedAndEnded((await active(id))[0], failed);
      await bench.db
        .updateTable('batch_export_backfills')
        .set({ unfinished: false })
        .where('batch_export_id', '=', id)
        .execute();
      // The schedule goes on by itself: of what it lost, only the log can tell.
      await bench.call('POST', `batch_exports/${id}/unpause`);

      await update();
      expect([await lost(), await told()]).toEqual([
        1,
        [expect.stringMatching(/^The automatic pause cancelled the backfill .* must be paused first\.$/)],
      ]);
      await bench.call('POST', `batch_exports/${id}/pause`);
      await bench.call('POST', `batch_exports/${id}/unpause`, { backfill: true });
      expect(await lost()).toBe(0);
      await update();
      expect([await lost(), (await told()).length], 'taken over').toEqual([0, 1]);
      for (let some = await active(id); some.length > 0; some = await active(id)) {
        for (const run of some) await plannedAndEnded(run, completed());
        await bench.feature.tick(100);
      }
      await update();
      expect([await lost(), (await told()).length], 'delivered').toEqual([0, 1]);
      const all = Array.from({ length: 24 }, (_, n) => `${hour(n + 3)} ${hour(n + 4)}`);
      expect(await covered(id)).toEqual(expect.arrayContaining(all));
    });

    it('not a repetition that is replacing files, which goes on', async () => {
      const { id, runs } = await withRuns(4);
      await finishRun(bench.ports, await claim(runs[3].id), completed());
      await bench.call('POST', `batch_exports/${id}/runs/${runs[3].id}/retry`);
      const repetition = (await active(id)).find((run) => run.backfill !== null);
      const second = await claim(repetition.id);
      await openLedger(bench.db, bench.clock, second, PLACE).beginReplacing();
      bench.clock.advance(1000);
      for (const run of runs.slice(0, 3)) await plannedAndEnded(run, failed);
      const told = (await warnings(id)).filter((line) => !line.startsWith('Export '));
      expect(told.toSorted()).toEqual([
        expect.stringMatching(/^Paused: the last 3 runs failed\. Mend/),
        `The repetition of run ${runs[3].id} is replacing files and goes on to its end.`,
      ]);
      await finishRun(bench.ports, second, completed());
    });

    it('of ranges, all history and repeated runs: what to ask for again', async () => {
      const { id, runs } = await withRuns(4);
      await finishRun(bench.ports, await claim(runs[3].id), completed());
      await bench.call('POST', `batch_exports/${id}/runs/${runs[3].id}/retry`);
      await bench.call('POST', `batch_exports/${id}/backfills`, {
        start_at: null,
        end_at: '2026-03-01T05:00:00Z',
      });
      bench.clock.advance(1000);
      for (const run of runs.slice(0, 3)) await plannedAndEnded(run, failed);
      const told = await warnings(id);
      expect(told).toContain(
        `The pause cancelled the repetition of run ${runs[3].id}. Retry that run again.`,
      );
      expect(told).toContainEqual(
        expect.stringContaining(
          'had yet to export the beginning to 2026-03-01T05:00:00.000Z. Ask for that range again.',
        ),
      );
      bench.clock.advance(HOUR);
      const before = (await active(id)).length;
      await bench.call('POST', `batch_exports/${id}/unpause`, { backfill: true });
      expect((await active(id)).length - before).toBe(1);
    });
  });
});

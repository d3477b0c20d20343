import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { isOpenEnded, openRegion } from '../../src/batch-exports/backfills/open-region.ts';
import { createBackfill } from '../../src/batch-exports/backfills/service.ts';
import { pauseExport, unpauseExport } from '../../src/batch-exports/pausing.ts';
import { cancelRun } from '../../src/batch-exports/runs/cancel.ts';
import { finishRun } from '../../src/batch-exports/runs/finish.ts';
import { openLedger } from '../../src/batch-exports/runs/ledger.ts';
import { HOLDING_RUN_STATES, RUN_STATES, runMachine } from '../../src/batch-exports/runs/machine.ts';
import { fixPlan } from '../../src/batch-exports/runs/plan.ts';
import { covers } from '../../src/batch-exports/runs/regions.ts';
import { retryRun } from '../../src/batch-exports/runs/retry.ts';
import { type Claim, claimRun, setPlanned, setRetrying } from '../../src/batch-exports/runs/store.ts';
import { tick } from '../../src/batch-exports/schedule/tick.ts';
import { changeExport, createExport } from '../../src/batch-exports/service.ts';
import type { BackfillRow, BatchExportRow, RunRow } from '../../src/database/tables.ts';
import { SluiceError } from '../../src/errors/error.ts';
import { type Bench, openBench } from './batch-exports-kit.ts';

/** The invariants of docs/state-machines.md, under random events, on the real tables. */
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

type Step =
  | { readonly do: 'wait'; readonly minutes: number }
  | { readonly do: 'tick' | 'pause' | 'claim stale' }
  | { readonly do: 'unpause'; readonly backfill: boolean }
  | { readonly do: 'edit'; readonly interval: string }
  /** No hours: without an end. */
  | { readonly do: 'backfill'; readonly from: number; readonly hours: number | null }
  | {
      readonly do:
        | 'claim'
        | 'plan'
        | 'replace'
        | 'complete'
        | 'fail'
        | 'give up'
        | 'retry later'
        | 'cancel'
        | 'repeat';
      readonly which: number;
    };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('wait' as const), minutes: fc.integer({ min: -30, max: 150 }) }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('tick' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('pause' as const, 'claim stale' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unpause' as const), backfill: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('edit' as const),
      interval: fc.constantFrom('hour', 'every 15 minutes', 'day'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('backfill' as const),
      from: fc.integer({ min: 1, max: 8 }),
      hours: fc.option(fc.integer({ min: 1, max: 4 }), { freq: 2, nil: null }),
    }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'claim' as const,
        'plan' as const,
        'replace' as const,
        'complete' as const,
        'complete' as const,
        'fail' as const,
        'give up' as const,
        'retry later' as const,
        'cancel' as const,
        'repeat' as const,
      ),
      which: fc.nat(20),
    }),
  },
);

let bench: Bench;
beforeAll(async () => {
  bench = await openBench({ maxBackfills: 1000 });
});
afterAll(() => bench.close());

const outcome = {
  files: [],
  rows: 1,
  bytes: 1,
  cleaned: 0,
  proof: {
    source: { rows: 1, fingerprint: null },
    written: { rows: 1, fingerprint: null },
    reread: { rows: 1, fingerprint: null },
  },
};

class World {
  readonly #batchExport: BatchExportRow;
  readonly #claims = new Map<string, Claim>();
  #stale: Claim[] = [];

  constructor(batchExport: BatchExportRow) {
    this.#batchExport = batchExport;
  }

  static async begin(): Promise<World> {
    bench.clock.set('2026-03-01T10:20:00Z');
    return new World(await createExport(bench.ports, actor(), toNowhere() as never));
  }

  async apply(wanted: Step): Promise<void> {
    const before = await this.look();
    try {
      await this.#do(wanted, before);
    } catch (error) {
      // Refused is a right answer everywhere; that nothing changed is checked like everything else.
      if (!(error instanceof SluiceError) || error.kind === 'bug') throw error;
    }
    this.#compare(wanted, before, await this.look());
  }

  async #do(wanted: Step, { runs }: Seen): Promise<void> {
    const { ports, clock } = bench;
    const id = this.#batchExport.id;
    switch (wanted.do) {
      case 'wait':
        return clock.advance(wanted.minutes * MINUTE);
      case 'tick':
        return void (await tick(ports, 10));
      case 'pause':
        return pauseExport(ports, actor(), id);
      case 'unpause':
        return unpauseExport(ports, actor(), id, { backfill: wanted.backfill });
      case 'edit':
        return void (await changeExport(ports, actor(), id, { interval: wanted.interval } as never, {
          replace: false,
        }));
      case 'backfill': {
        const start = Math.floor(clock.now() / HOUR) * HOUR - wanted.from * HOUR;
        const body = {
          start_at: iso(start),
          end_at: wanted.hours === null ? null : iso(Math.min(clock.now(), start + wanted.hours * HOUR)),
        };
        return void (await createBackfill(ports, actor(), id, body));
      }
      case 'claim stale':
        return this.#writeStale();
      default: {
        // Mostly runs that can still move; at times one that has ended, for the refusals.
        const active = runs.filter((candidate) => ['Starting', 'Running'].includes(candidate.status));
        const among = wanted.do !== 'repeat' && wanted.which % 4 > 0 && active.length > 0 ? active : runs;
        const run = among[wanted.which % Math.max(1, among.length)];
        if (run) await this.#touch(wanted.do, run);
      }
    }
  }

  async #touch(what: Extract<Step, { which: number }>['do'], run: RunRow): Promise<void> {
    const { ports, db, clock } = bench;
    const now = clock.now();
    if (what === 'cancel') return void (await cancelRun(ports, run));
    if (what === 'repeat') {
      return void (await retryRun(ports, actor(), { batch_export_id: this.#batchExport.id, id: run.id }));
    }
    const held = this.#claims.get(run.id);
    if (what === 'claim') {
      const claim = await claimRun(db, { runId: run.id, worker: 'w', now });
      expect(claim === null).toBe(runMachine[run.status as 'Running'].claim === 'ignored');
      if (held) this.#stale.push(held);
      if (claim) this.#claims.set(run.id, claim);
      return;
    }
    if (!held) return this.#touch('claim', run);
    if (what === 'retry later') {
      return setRetrying(db, ports.enqueue, held, { at: now + 1, error: 'hiccup\0', now });
    }
    if (what === 'replace') return openLedger(db, clock, held, 'files').beginReplacing();
    const plan = await fixPlan(db, held, now);
    expect(await fixPlan(db, held, now), 'R5').toEqual(plan);
    if (what === 'complete') await finishRun(ports, held, { status: 'Completed', outcome });
    if (what === 'fail') await finishRun(ports, held, { status: 'Failed', error: 'no' });
    if (what === 'give up') await finishRun(ports, held, { status: 'FailedRetryable', error: 'no' });
  }

  /** R2: every write of every claim that is not the newest. */
  async #writeStale(): Promise<void> {
    for (const claim of this.#stale) {
      const refused = expect.objectContaining({
        code: expect.stringMatching(/^run_(superseded|cancelled)$/),
      });
      await expect(setPlanned(bench.db, claim, 7, 0), 'R2').rejects.toEqual(refused);
      await expect(fixPlan(bench.db, claim, 0), 'R2').rejects.toEqual(refused);
      const ending = finishRun(bench.ports, claim, { status: 'Completed', outcome });
      await expect(ending, 'R2').rejects.toEqual(refused);
    }
    this.#stale = [];
  }

  #compare(wanted: Step, before: Seen, after: Seen): void {
    const finals = RUN_STATES.filter((state) => runMachine[state].cancel === 'refused') as string[];
    for (const run of after.runs) {
      const old = before.runs.find((candidate) => candidate.id === run.id);
      if (old) {
        const claimed = run.attempt - old.attempt;
        expect(claimed, 'R1').toBe(claimed === 0 ? 0 : 1);
        if (finals.includes(old.status)) expect(run, 'R3').toEqual(old);
        if (old.replacing) expect(run.status, 'R9').not.toBe('Cancelled');
      }
      expect(run.finished_at !== null, 'R3').toBe(finals.includes(run.status));
    }
    const openEnded = after.backfills.filter(
      (backfill) => isOpenEnded(backfill) && backfill.finished_at === null,
    );
    expect(openEnded.length, 'B6').toBeLessThanOrEqual(1);
    const keys = after.runs.map((run) => `${run.backfill_id}:${run.data_interval_end.getTime()}`);
    expect(new Set(keys).size, 'R4').toBe(keys.length);
    this.#compareSchedules(wanted, before, after);
    this.#compareBackfills(before, after);
    expectOnce(after, 'R6');
    expectNamed(before, after);
  }

  #compareSchedules(wanted: Step, before: Seen, after: Seen): void {
    const { batchExport } = after;
    if (wanted.do === 'tick') {
      const moved =
        batchExport.next_interval_start.getTime() - before.batchExport.next_interval_start.getTime();
      expect(moved, 'S3').toBeGreaterThanOrEqual(0);
    }
    if (batchExport.paused) expect(batchExport.next_due_at, 'S4').toBeNull();
    if (before.batchExport.paused) {
      expect(after.runs.filter(isLive).length, 'S4').toBe(before.runs.filter(isLive).length);
    }
  }

  #compareBackfills(before: Seen, after: Seen): void {
    for (const backfill of after.backfills) {
      const ended = !['Starting', 'Running'].includes(backfill.status);
      expect(backfill.finished_at !== null, 'B4').toBe(ended);
      const old = before.backfills.find((candidate) => candidate.id === backfill.id);
      const from = old?.next_interval_start?.getTime() ?? 0;
      expect(backfill.next_interval_start?.getTime() ?? 0, 'B2').toBeGreaterThanOrEqual(from);
      const runs = (seen: Seen) => seen.runs.filter((run) => run.backfill_id === backfill.id);
      if (old?.finished_at) expect(runs(after).length, 'B3').toBe(runs(before).length);
      if (isOpenEnded(backfill)) {
        if (backfill.status === 'Completed' && old?.finished_at === null) this.#compareEnd(backfill, after);
        continue;
      }
      if (backfill.status === 'Completed' && !backfill.by_arrival) {
        expect(stretch(runs(after)), 'B1').toEqual([
          backfill.start_at?.getTime(),
          backfill.end_at?.getTime(),
        ]);
      }
    }
  }

  /** B7: what happened since its start, or arrived since it was asked for, before the schedule goes on. */
  #compareEnd(backfill: BackfillRow, { batchExport, runs }: Seen): void {
    expect(batchExport.paused, 'B7').toBe(false);
    const start = backfill.start_at?.getTime() ?? 0;
    // One that was cancelled before its plan was asked all the same.
    const asked = runs
      .filter((run) => isLive(run) || run.backfill_id === backfill.id)
      .map((run) => {
        const [from, to] = [run.data_interval_start?.getTime() ?? null, run.data_interval_end.getTime()];
        const live = { arrivalFrom: from, arrivalTo: to, eventFrom: null, eventTo: null };
        return { region: isLive(run) ? live : openRegion(backfill, from, to), excludes: [] };
      });
    for (const { arrival, event } of rows) {
      const before = arrival < backfill.arrival_before.getTime();
      if (before ? event < start : arrival >= batchExport.next_interval_start.getTime()) continue;
      const found = asked.some((plan) => covers(plan, arrival, event));
      if (!found) expect({ arrival: iso(arrival), event: iso(event) }, 'B7').toBeNull();
    }
  }

  /** Everything active completes, and everything failed or cancelled is repeated until it completes. */
  async settle(): Promise<void> {
    // Two rounds for each output that has to be repeated.
    for (let round = 0; round < 400; round++) {
      await tick(bench.ports, 50);
      const seen = await this.look();
      const active = seen.runs.filter((run) => ['Starting', 'Running'].includes(run.status));
      const failed = outputs(seen).filter((output) => output.at(-1)?.status !== 'Completed');
      if (active.length === 0 && failed.length === 0) return;
      for (const run of active) {
        const claim = await claimRun(bench.db, { runId: run.id, worker: 'w', now: bench.clock.now() });
        if (!claim) continue;
        await fixPlan(bench.db, claim, bench.clock.now());
        await finishRun(bench.ports, claim, { status: 'Completed', outcome });
      }
      if (active.length > 0) continue;
      const last = failed[0]?.at(-1);
      if (last) await this.#touch('repeat', last);
    }
    throw new Error('The runs never settled.');
  }

  async look(): Promise<Seen> {
    const of = this.#batchExport.id;
    const { db } = bench;
    const [batchExport, runs, backfills] = await Promise.all([
      db.selectFrom('batch_exports').selectAll().where('id', '=', of).executeTakeFirstOrThrow(),
      db
        .selectFrom('batch_export_runs')
        .selectAll()
        .where('batch_export_id', '=', of)
        .orderBy('id')
        .execute(),
      db
        .selectFrom('batch_export_backfills')
        .selectAll()
        .where('batch_export_id', '=', of)
        .orderBy('id')
        .execute(),
    ]);
    return { batchExport, runs, backfills };
  }
}

interface Seen {
  readonly batchExport: BatchExportRow;
  readonly runs: readonly RunRow[];
  readonly backfills: readonly BackfillRow[];
}

/** Every kind of backfill is possible there. */
const toNowhere = () => ({
  name: 'Events',
  interval: 'hour',
  destination: { type: 'NoOp', config: {} },
});
const actor = () => ({ userId: 1, teamId: bench.teamId, organizationId: bench.organizationId });
const iso = (ms: number) => new Date(ms).toISOString();
const isLive = (run: RunRow) => run.backfill_id === null;

/** Runs of one output in the order they were created: a run and those that repeat it. */
function outputs({ runs, backfills }: Seen): RunRow[][] {
  const rootOf = (run: RunRow) =>
    backfills.find((backfill) => backfill.id === run.backfill_id)?.retry_of ?? run.id;
  return [...Map.groupBy(runs, rootOf).values()];
}

/** Where contiguous runs begin and end; anything else when they are not. */
function stretch(runs: readonly RunRow[]): (number | undefined)[] {
  const sorted = runs.toSorted((a, b) => a.data_interval_end.getTime() - b.data_interval_end.getTime());
  const gaps = sorted.filter(
    (run, i) => i > 0 && run.data_interval_start?.getTime() !== sorted[i - 1]?.data_interval_end.getTime(),
  );
  return gaps.length > 0
    ? gaps.map((run) => run.data_interval_start?.getTime())
    : [sorted[0]?.data_interval_start?.getTime(), sorted.at(-1)?.data_interval_end.getTime()];
}

const FROM = Date.parse('2026-03-01T00:02:30Z');
const rows = Array.from({ length: 40 * 40 }, (_, i) => ({
  arrival: FROM + (i % 40) * 45 * MINUTE,
  event: FROM + Math.floor(i / 40) * 45 * MINUTE,
}));

const planOf = (run: RunRow) => (run.region ? [{ region: run.region, excludes: run.excludes ?? [] }] : []);

/** No row is in two outputs; with `asked`, every row that was asked for is in one. */
function expectOnce(seen: Seen, name: string, asked = false): void {
  const wanted = seen.runs.flatMap(planOf).map(({ region }) => ({ region, excludes: [] }));
  const held = outputs(seen)
    .flatMap((output) => output.findLast((run) => run.status === 'Completed') ?? [])
    .flatMap(planOf);
  for (const { arrival, event } of rows) {
    const times = held.filter((plan) => covers(plan, arrival, event)).length;
    if (times > 1)
      expect({ arrival: iso(arrival), event: iso(event), times }, name).toHaveProperty('times', 1);
    if (asked && times === 0) {
      expect(
        wanted.some((plan) => covers(plan, arrival, event)),
        `${name}: ${iso(arrival)} ${iso(event)}`,
      ).toBe(false);
    }
  }
}

/** R8: the runs of an output have one name, for ever, and no other output of their interval has it. */
function expectNamed(before: Seen, after: Seen): void {
  const names = new Map(before.runs.map((run) => [run.id, run.key_suffix]));
  for (const { id, key_suffix: name } of after.runs) expect(names.get(id) ?? name, 'R8').toBe(name);
  const all = outputs(after).flatMap((runs) => {
    const named = runs.filter((run) => run.key_suffix !== null).map(nameOf);
    expect(new Set(named).size, 'R8').toBeLessThanOrEqual(1);
    return named.slice(0, 1);
  });
  expect(new Set(all).size, 'R8').toBe(all.length);
}

const nameOf = (run: RunRow) =>
  `${run.data_interval_start?.getTime()}-${run.data_interval_end.getTime()}_${run.key_suffix}`;

/** `SLUICE_SEQUENCES=20000` for a night, with another `SLUICE_SEED` than the usual. */
const SEQUENCES = Number(process.env.SLUICE_SEQUENCES ?? 12);
const SEED = Number(process.env.SLUICE_SEED ?? 20260301);

it(`keeps R1–R6, R8, R9, S3, S4, B1–B4, B6 and B7 after every step, and R7 in the end (${SEQUENCES} sequences, SLUICE_SEED=${SEED})`, {
  timeout: Math.max(300_000, SEQUENCES * 6_000),
}, async () => {
  expect(HOLDING_RUN_STATES).toContain('Completed');
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60, size: 'max' }), async (steps) => {
      const world = await World.begin();
      for (const wanted of steps) await world.apply(wanted);
      await world.settle();
      expectOnce(await world.look(), 'R7', true);
    }),
    { numRuns: SEQUENCES, seed: SEED, endOnFailure: true },
  );
});

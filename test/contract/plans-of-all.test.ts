import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fixPlan } from '../../src/batch-exports/runs/plan.ts';
import { covers, type Plan, planRegions } from '../../src/batch-exports/runs/regions.ts';
import { claimRun, runById } from '../../src/batch-exports/runs/store.ts';
import { type Bench, openBench } from './batch-exports-kit.ts';

/** What a run leaves out, which asks the database only for runs near it, is what all the export's runs hold. */
const DAY = 86_400_000;
const BEGIN = Date.UTC(2026, 0, 1);
/** More than the longest interval: all of history may reach further than any other run. */
const DAYS = 12;
const at = (day: number) => new Date(BEGIN + day * DAY);
/** One that ends at a whole day, and one that begins a moment later. */
const INSTANTS = Array.from({ length: 2 * DAYS }, (_, n) => BEGIN + Math.floor(n / 2) * DAY + (n % 2));

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

const range = fc
  .tuple(fc.integer({ min: 0, max: DAYS }), fc.integer({ min: 0, max: DAYS }))
  .filter(([a, b]) => a !== b)
  .map(([a, b]) => ({ start: Math.min(a, b), end: Math.max(a, b) }));
const interval = range.map(({ start, end }) => ({ start, end: Math.min(end, start + 7) }));
const asked = fc.record({
  kind: fc.constantFrom(
    'range' as const,
    'all' as const,
    'open' as const,
    'open all' as const,
    'pause' as const,
  ),
  range,
  /** When it was asked for. */
  at: fc.integer({ min: 1, max: DAYS }),
  step: fc.integer({ min: 1, max: 7 }),
});
const turn = fc.record({
  which: fc.nat(),
  ends: fc.constantFrom('Completed', 'Running', 'Failed'),
  again: fc.boolean(),
});

interface Output {
  readonly id: string;
  readonly root: string;
  plan: Plan | null;
  held: boolean;
}

/** One export with runs of every kind, none of them planned. */
class World {
  readonly #exportId = bench.ports.newId();
  readonly outputs: Output[] = [];

  async begin(live: readonly { start: number; end: number }[], backfills: readonly Asked[]): Promise<void> {
    const row = { team_id: bench.teamId, created_at: at(0), last_updated_at: at(0) };
    await bench.db
      .insertInto('batch_exports')
      .values({
        ...row,
        id: this.#exportId,
        name: 'e',
        model: 'events',
        destination_type: 'Filesystem',
        destination_config: '{}',
        interval: 'week',
        next_interval_start: at(DAYS),
      })
      .execute();
    for (const one of live) await this.#run(null, one.start, one.end);
    for (const one of backfills) await this.#backfill(one);
  }

  async #backfill({ kind, range: { start, end }, at: when, step }: Asked): Promise<void> {
    const open = kind === 'open' || kind === 'open all';
    const from = kind === 'all' || kind === 'open all' ? null : start;
    const seam = kind === 'pause' ? at(end) : new Date(at(when).getTime() + 1);
    const columns = {
      start_at: from === null ? null : at(from),
      end_at: open ? null : at(end),
      arrival_before: seam,
    };
    const id = await this.#insert({ ...columns, by_arrival: kind === 'pause' });
    const cut = async (first: number, last: number) => {
      for (let s = first; s < last; s += step) await this.#run(id, s, Math.min(last, s + step));
    };
    const last = open ? when : end;
    if (from === null) await this.#run(id, null, last);
    else await cut(from, last);
    if (!open) return;
    // From the seam on by arrival.
    await this.#run(id, seam, when + 1);
    await cut(when + 1, DAYS);
  }

  async #insert(columns: object): Promise<string> {
    const id = bench.ports.newId();
    await bench.db
      .insertInto('batch_export_backfills')
      .values({
        start_at: null,
        end_at: null,
        arrival_before: at(0),
        ...columns,
        id,
        team_id: bench.teamId,
        batch_export_id: this.#exportId,
        workflow_id: 'w',
        status: 'Running',
        created_at: at(0),
        last_updated_at: at(0),
      })
      .execute();
    return id;
  }

  async #run(
    backfill: string | null,
    start: number | Date | null,
    end: number | Date,
    root?: string,
  ): Promise<void> {
    const id = bench.ports.newId();
    const moment = (of: number | Date) => (typeof of === 'number' ? at(of) : of);
    const { numInsertedOrUpdatedRows } = await bench.db
      .insertInto('batch_export_runs')
      .values({
        id,
        team_id: bench.teamId,
        batch_export_id: this.#exportId,
        backfill_id: backfill,
        status: 'Starting',
        data_interval_start: start === null ? null : moment(start),
        data_interval_end: moment(end),
        snapshot: JSON.stringify({ model: 'events', destination: { type: 'Filesystem' } }),
        created_at: at(0),
        last_updated_at: at(0),
      })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst();
    if (numInsertedOrUpdatedRows === 1n) this.outputs.push({ id, root: root ?? id, plan: null, held: false });
  }

  /** Plans one that has no plan, and ends it or lets it run; what the database says and what reading everything says. */
  async plan({ which, ends, again }: Turn): Promise<readonly [Plan, Plan] | null> {
    const waiting = this.outputs.filter(({ plan }) => plan === null);
    const output = waiting[which % Math.max(1, waiting.length)];
    if (!output) return null;
    const claim = await claimRun(bench.db, { runId: output.id, worker: 'w', now: BEGIN });
    if (!claim) throw new Error('nothing to claim');
    const plan = await fixPlan(bench.db, claim, BEGIN);
    const others = this.outputs.filter(({ root, held }) => root !== output.root && held);
    const all = planRegions(
      plan.region,
      others.flatMap((other) => other.plan ?? []),
    );
    output.plan = plan;
    output.held = ends !== 'Failed';
    await bench.db
      .updateTable('batch_export_runs')
      .set({ status: ends })
      .where('id', '=', output.id)
      .execute();
    if (again) await this.#repeat(output);
    return [plan, all];
  }

  async #repeat(output: Output): Promise<void> {
    const { data_interval_start: start, data_interval_end: end } = await runById(bench.db, output.id);
    const columns = { start_at: start, end_at: end, arrival_before: end, retry_of: output.root };
    await this.#run(await this.#insert(columns), start, end, output.root);
  }
}

type Asked = typeof asked extends fc.Arbitrary<infer Value> ? Value : never;
type Turn = typeof turn extends fc.Arbitrary<infer Value> ? Value : never;

it('R6: a plan leaves out what any other output holds, wherever it lies', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(interval, { maxLength: 6 }),
      fc.array(asked, { minLength: 1, maxLength: 4 }),
      fc.array(turn, { minLength: 30, maxLength: 30 }),
      async (live, backfills, turns) => {
        const world = new World();
        await world.begin(live, backfills);
        for (const each of turns) {
          const plans = await world.plan(each);
          if (!plans) break;
          const [found, all] = plans.map((plan) =>
            INSTANTS.map((arrival) =>
              INSTANTS.map((event) => (covers(plan, arrival, event) ? '#' : ' ')).join(''),
            ),
          );
          expect(found).toEqual(all);
        }
      },
    ),
    { numRuns: 5 },
  );
});

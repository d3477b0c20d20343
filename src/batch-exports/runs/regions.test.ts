import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Region } from '../../database/tables.ts';
import { askedRegion, coalesce, covers, delivered, type Plan, planRegions } from './regions.ts';

const live = (start: number, end: number) => askedRegion({ by: 'arrival', start, end });
const past = (start: number | null, end: number, arrivalBefore: number) =>
  askedRegion({ by: 'event', start, end, arrivalBefore });
const whole = (region: Region): Plan => ({ region, excludes: [] });

describe('coalesce', () => {
  it('makes one rectangle of contiguous live runs', () => {
    const hours = Array.from({ length: 100 }, (_, hour) => live(hour * 10, hour * 10 + 10));
    expect(coalesce(hours.toReversed())).toEqual([live(0, 1000)]);
  });

  it('keeps what does not touch apart', () => {
    expect(coalesce([live(0, 10), live(20, 30)])).toHaveLength(2);
  });
});

describe('planRegions', () => {
  it('leaves out what completed live runs delivered', () => {
    const plan = planRegions(past(0, 100, 50), [whole(live(0, 10)), whole(live(10, 20))]);
    expect(plan.excludes).toEqual([{ arrivalFrom: 0, arrivalTo: 20, eventFrom: 0, eventTo: 100 }]);
    expect(covers(plan, 5, 5)).toBe(false);
    expect(covers(plan, 30, 5)).toBe(true);
    expect(covers(plan, 50, 5)).toBe(false);
  });

  it('leaves out only what the other delivers, not all it was asked for', () => {
    const failed = whole(live(0, 10));
    const second = planRegions(past(0, 100, 50), [failed]);
    const third = planRegions(past(0, 100, 50), [second]);
    expect(covers(third, 5, 5)).toBe(true);
    expect(covers(third, 30, 5)).toBe(false);
  });

  it('excludes nothing out of reach', () => {
    expect(planRegions(live(0, 10), [whole(live(10, 20)), whole(past(0, 5, 0))]).excludes).toEqual([]);
  });
});

const SIZE = 8;
const points = Array.from({ length: SIZE * SIZE }, (_, i) => ({
  arrival: i % SIZE,
  event: Math.floor(i / SIZE),
}));
const bounds = fc
  .tuple(fc.integer({ min: 0, max: SIZE }), fc.integer({ min: 0, max: SIZE }))
  .filter(([a, b]) => a !== b)
  .map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
const side = fc.option(bounds, { nil: [null, null] as const });
const region: fc.Arbitrary<Region> = fc
  .tuple(side, side)
  .map(([[arrivalFrom, arrivalTo], [eventFrom, eventTo]]) => ({
    arrivalFrom,
    arrivalTo,
    eventFrom,
    eventTo,
  }));

describe('for every set of rectangles', () => {
  it('coalesce covers the same rows with no more rectangles', () => {
    fc.assert(
      fc.property(fc.array(region, { maxLength: 8 }), (regions) => {
        const fewer = coalesce(regions);
        expect(fewer.length).toBeLessThanOrEqual(regions.length);
        for (const { arrival, event } of points) {
          const inside = (r: Region) => covers(whole(r), arrival, event);
          expect(fewer.some(inside)).toBe(regions.some(inside));
        }
      }),
    );
  });

  it('delivered parts are disjoint and cover exactly what the plan covers', () => {
    fc.assert(
      fc.property(region, fc.array(region, { maxLength: 6 }), (asked, excludes) => {
        const plan = { region: asked, excludes };
        const parts = delivered(plan);
        for (const { arrival, event } of points) {
          const times = parts.filter((part) => covers(whole(part), arrival, event)).length;
          expect(times).toBe(covers(plan, arrival, event) ? 1 : 0);
        }
      }),
    );
  });
});

/** One output: a run and all that repeat it. What it holds is the newest completed plan. */
interface Output {
  readonly region: Region;
  readonly attempts: { plan: Plan | null; state: 'active' | 'completed' | 'failed' }[];
}

type Step =
  | { readonly do: 'live' }
  | { readonly do: 'backfill'; readonly start: number | null; readonly end: number }
  | { readonly do: 'plan' | 'complete' | 'fail' | 'retry'; readonly which: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.constant({ do: 'live' as const }) },
  {
    weight: 2,
    arbitrary: fc.tuple(bounds, fc.boolean()).map(([[start, end], all]) => ({
      do: 'backfill' as const,
      start: all ? null : start,
      end,
    })),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom('plan' as const, 'complete' as const, 'fail' as const, 'retry' as const),
      which: fc.nat(30),
    }),
  },
);

/** What the store does, with the database left out: plans see every plan of other outputs that holds its rows. */
class Model {
  readonly outputs: Output[] = [];
  cursor = 0;

  apply(wanted: Step): void {
    if (wanted.do === 'live') {
      if (this.cursor < SIZE) this.#add(live(this.cursor, this.cursor + 1));
      this.cursor = Math.min(SIZE, this.cursor + 1);
    } else if (wanted.do === 'backfill') {
      this.#add(past(wanted.start, wanted.end, this.cursor));
    } else {
      const output = this.outputs[wanted.which % Math.max(1, this.outputs.length)];
      if (output) this.#touch(output, wanted.do);
    }
  }

  #add(asked: Region): void {
    this.outputs.push({ region: asked, attempts: [{ plan: null, state: 'active' }] });
  }

  #touch(output: Output, what: 'plan' | 'complete' | 'fail' | 'retry'): void {
    const last = output.attempts.at(-1);
    if (!last) return;
    if (what === 'retry') {
      if (last.state === 'active') last.state = 'failed';
      output.attempts.push({ plan: null, state: 'active' });
    } else if (last.state === 'active') {
      last.plan ??= planRegions(output.region, this.#others(output));
      if (what === 'complete') last.state = 'completed';
      if (what === 'fail') last.state = 'failed';
    }
  }

  #others(output: Output): Plan[] {
    return this.outputs
      .filter((other) => other !== output)
      .flatMap((other) => other.attempts)
      .flatMap((attempt) => (attempt.plan && attempt.state !== 'failed' ? [attempt.plan] : []));
  }

  held(output: Output): Plan | null {
    return output.attempts.findLast((attempt) => attempt.state === 'completed')?.plan ?? null;
  }

  settle(): void {
    for (const output of this.outputs) this.#touch(output, 'complete');
    for (const output of this.outputs) {
      if (output.attempts.every((attempt) => attempt.state !== 'failed')) continue;
      this.#touch(output, 'retry');
      this.#touch(output, 'complete');
    }
  }
}

describe('live runs, backfills, failures and retries in any order', () => {
  it('R6: never hold a row twice', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const model = new Model();
        for (const wanted of steps) {
          model.apply(wanted);
          const held = model.outputs.flatMap((output) => model.held(output) ?? []);
          for (const { arrival, event } of points) {
            expect(held.filter((plan) => covers(plan, arrival, event)).length).toBeLessThanOrEqual(1);
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it('R7: hold every row asked for exactly once when all failures have been repeated', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const model = new Model();
        for (const wanted of steps) model.apply(wanted);
        model.settle();
        const held = model.outputs.flatMap((output) => model.held(output) ?? []);
        for (const { arrival, event } of points) {
          const asked = model.outputs.some((output) => covers(whole(output.region), arrival, event));
          const times = held.filter((plan) => covers(plan, arrival, event)).length;
          expect(times).toBe(asked ? 1 : 0);
        }
      }),
      { numRuns: 500 },
    );
  });
});

import { expect, it } from 'vitest';
import { SluiceError } from '../../errors/error.ts';
import type { Query } from '../../warehouse/warehouse.ts';
import { planBatches } from './plan.ts';
import { startOf } from './position.ts';
import { firstReach } from './reach.ts';

const HOUR = 3_600_000_000;
const YEAR = 365 * 24 * HOUR;
const LIMITS = { events: 10, bytes: 1_000_000, waitMs: 0 };
const COURSE = { teamId: 1, by: 'event time', arrivalBefore: null } as const;

/** A warehouse with an event at each of these moments, which reads no more than so much at once. */
function limited(at: readonly number[], most: () => number) {
  const asked: number[] = [];
  const rows = async ({ sql, params = {} }: Query) => {
    const [after, from, to] = ['after_first', 'from_micros', 'to_micros'].map((name) => Number(params[name]));
    if (after === undefined || from === undefined || to === undefined) throw new Error(sql);
    asked.push(to - from);
    if (to - from > most()) throw new SluiceError('warehouse_overloaded');
    // As many as are asked for; the second coordinate of a start is below all.
    const within = at.filter((first) => first < to && (first > after || Number(params.after_second) < 0));
    const found = within.filter((first) => first >= after);
    if (sql.includes('minOrNull')) return [{ next: found[0] ?? null }];
    const page = found.slice(0, Number(params.rows));
    return page.map((first) => ({ p1: first, p2: 0, p3: `u${first}`, bytes: 1 }));
  };
  return { asked, rows: rows as never };
}

async function planned(at: readonly number[], most: () => number, end: number) {
  const warehouse = limited(at, most);
  const reach = firstReach();
  const found: number[] = [];
  let [cursor, failures] = [startOf(0), 0];
  for (let done = false; !done; ) {
    const ports = { warehouse, now: 0, signal: new AbortController().signal };
    const plan = await planBatches(ports, COURSE, cursor, end, LIMITS, reach).catch(() => null);
    if (!plan) failures += 1;
    if (failures > 100) throw new Error('no progress');
    found.push(...(plan?.batches ?? []).map(({ events }) => events));
    cursor = plan?.cursor ?? cursor;
    done = plan?.reachedEnd ?? false;
  }
  return { events: found.reduce((sum, events) => sum + events, 0), failures, asked: warehouse.asked };
}

it('a warehouse that reads no more than an hour at once: everything is planned', async () => {
  const dense = Array.from({ length: 500 }, (_, n) => YEAR / 2 + n * 60_000_000);
  const sparse = Array.from({ length: 50 }, (_, n) => YEAR / 2 + 20 * HOUR + n * 7 * HOUR);
  const at = [HOUR, ...dense, ...sparse];
  const { events, failures } = await planned(at, () => HOUR, YEAR);
  expect(events).toBe(at.length);
  expect(failures).toBeLessThan(30);
});

it('more events before the end than one look reads: everything is planned', async () => {
  const at = Array.from({ length: 250 }, (_, n) => n + 1);
  expect((await planned(at, () => YEAR, 1_000)).events).toBe(at.length);
});

it('one that was overloaded for a while is soon asked for more again', async () => {
  let left = 40;
  const { asked } = await planned([YEAR - 1], () => (left-- > 0 ? HOUR / 60 : YEAR), YEAR);
  expect(Math.max(...asked.slice(40))).toBeGreaterThan(24 * HOUR);
  expect(asked.length).toBeLessThan(1_000);
});

it.each([
  ['has just arrived', 1_000, 1_000, [], 6_000],
  ['has waited long enough', 1_000, 6_000, [1], null],
  ['was stamped before the clock was set back', 1_000, 999, [1], null],
])('an event that %s: what goes, and when the rest is due', async (_, at, now, batches, restDueAt) => {
  const warehouse = limited([at * 1000], () => YEAR);
  const ports = { warehouse, now, signal: new AbortController().signal };
  const limits = { ...LIMITS, waitMs: 5_000 };
  const plan = await planBatches(ports, COURSE, startOf(0), at * 1000 + 1, limits, firstReach());
  expect(plan).toMatchObject({ restDueAt, reachedEnd: true });
  expect(plan.batches.map(({ events }) => events)).toEqual(batches);
});

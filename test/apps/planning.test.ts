import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Course } from '../../src/apps/delivery/course.ts';
import { type Plan, planBatches } from '../../src/apps/delivery/plan.ts';
import { compare, startOf } from '../../src/apps/delivery/position.ts';
import { firstReach, type Reach } from '../../src/apps/delivery/reach.ts';
import { countEvents, readEvents, readPositions } from '../../src/apps/delivery/read.ts';
import { createReadAhead } from '../../src/apps/delivery/read-ahead.ts';
import type { OpenBatch } from '../../src/apps/delivery/store.ts';
import type { Warehouse } from '../../src/warehouse/warehouse.ts';
import { seeded } from '../faults/random.ts';
import { startTestWarehouse, type TestWarehouse } from '../kit/warehouse.ts';

const random = seeded(11);
const DAY = 86_400_000;
const today = Math.floor(Date.now() / DAY) * DAY;
const TEAM = 4242;
const END = (today + DAY) * 1000;
/** Arrivals in bursts of one stamp, alone, and months apart; event times that have nothing to do with them, some before 1970. */
const rows = Array.from({ length: 250 }, (_, n) => ({
  arrival:
    today - 90 * DAY + Math.floor(n / 60) * 12 * DAY * (n % 7 === 0 ? 1 : 0) + (n % 5 === 0 ? n * 977 : 0),
  time: (n % 3 === 0 ? -10 * 365 * DAY : today - 100 * DAY) + Math.floor(random() * 50) * DAY,
  uuid: crypto.randomUUID(),
}));
// Nothing follows it for longer than any look goes.
rows.push({ arrival: today - 400 * DAY, time: today - 400 * DAY, uuid: crypto.randomUUID() });

let engine: TestWarehouse;
let queries = 0;
/** The engine's, counting. */
const warehouse: Pick<Warehouse, 'rows'> = {
  rows: (query) => {
    queries++;
    return engine.warehouse.rows(query);
  },
};

beforeAll(async () => {
  engine = await startTestWarehouse();
  const time = (ms: number) => new Date(ms).toISOString().slice(0, 23).replace('T', ' ');
  const lines = rows.map(({ arrival, time: happened, uuid }) =>
    JSON.stringify({
      team_id: TEAM,
      uuid,
      event: 'e',
      distinct_id: 'u',
      properties: '{}',
      timestamp: time(happened),
      inserted_at: time(arrival),
    }),
  );
  await engine.warehouse.insert({
    table: 'events',
    format: 'JSONEachRow',
    body: Buffer.from(lines.join('\n')),
    settings: { max_partitions_per_insert_block: 0 },
  });
});
afterAll(() => engine?.close());

const courseBy = (by: Course['by']): Course => ({ teamId: TEAM, by, arrivalBefore: null });
const never = new AbortController().signal;

async function* plans(course: Course, reach: Reach): AsyncGenerator<Plan> {
  let cursor = startOf(0);
  for (let done = false; !done; ) {
    const limits = { events: 7, bytes: 1_000_000, waitMs: 0 };
    const plan = await planBatches(
      { warehouse, now: Date.now(), signal: never },
      course,
      cursor,
      END,
      limits,
      reach,
    );
    yield plan;
    cursor = plan.cursor;
    done = plan.reachedEnd;
  }
}

const open = ({ batches }: Plan): OpenBatch[] =>
  batches.map((batch) => ({ ...batch, id: crypto.randomUUID(), attempts: 0 }));

it.each(['arrival', 'event time'] as const)(
  'D1: by %s, every event once, in order, without a gap',
  async (by) => {
    const course = courseBy(by);
    const read: string[] = [];
    let cursor = startOf(0);
    for await (const plan of plans(course, firstReach(1_000_000))) {
      for (const batch of plan.batches) {
        expect(compare(batch.after, cursor)).toBeGreaterThanOrEqual(0);
        const { events } = await readEvents(warehouse, course, batch, never);
        expect(events).toHaveLength(batch.events);
        read.push(...events.map(({ uuid }) => uuid));
        cursor = batch.until;
      }
    }
    const [key, other] = by === 'arrival' ? (['arrival', 'time'] as const) : (['time', 'arrival'] as const);
    // By event time nobody can ask for a day before 1970.
    const order = rows
      .filter((row) => row[key] >= 0)
      .toSorted((a, b) => a[key] - b[key] || a[other] - b[other] || (a.uuid < b.uuid ? -1 : 1));
    expect(read).toEqual(order.map(({ uuid }) => uuid));
    expect(await countEvents(warehouse, course, startOf(0), END, never)).toBe(order.length);
  },
);

it('however dense events become, looks go whole microseconds', async () => {
  const reach = firstReach(32 * DAY * 1000);
  const dense = Array.from({ length: 71 }, (_, n) => ({ p1: String(n), p2: '0', p3: '', bytes: 1 }));
  const always: Pick<Warehouse, 'rows'> = { rows: async () => dense as never };
  for (let look = 0; look < 40; look++) {
    const limits = { events: 7, bytes: 1_000_000, waitMs: 0 };
    await planBatches(
      { warehouse: always, now: 0, signal: never },
      courseBy('arrival'),
      startOf(0),
      END,
      limits,
      reach,
    );
    expect(reach.micros % 1).toBe(0);
  }
  expect(reach.micros).toBe(1_000_000);
});

it('batches read ahead have the events that they have alone, whoever is asked for first, forgotten or not', async () => {
  const course = courseBy('arrival');
  const batches: OpenBatch[] = [];
  for await (const plan of plans(course, firstReach(1_000_000))) batches.push(...open(plan));
  const alone = new Map<string, unknown>();
  for (const batch of batches) alone.set(batch.id, await readEvents(warehouse, course, batch, never));
  const asks = fc.array(
    fc.record({ skip: fc.nat(3), width: fc.integer({ min: 1, max: 4 }), forget: fc.boolean() }),
  );
  await fc.assert(
    fc.asyncProperty(asks, async (turns) => {
      const ahead = createReadAhead(warehouse, course);
      let left = batches;
      for (const { skip, width, forget } of turns) {
        const taken = left.slice(skip, skip + width);
        const reads = taken.map((batch) => ahead.read(batch, left.slice(left.indexOf(batch) + 1), never));
        expect(await Promise.all(reads)).toEqual(taken.map(({ id }) => alone.get(id)));
        left = left.filter((batch) => !taken.includes(batch));
        if (forget) ahead.forget();
      }
    }),
    { numRuns: 6 },
  );
});

/** Two batches of which the second follows the first without a gap. */
async function neighbours(course: Course): Promise<[OpenBatch, OpenBatch]> {
  const batches: OpenBatch[] = [];
  for await (const plan of plans(course, firstReach(1_000_000))) batches.push(...open(plan));
  const pair = batches.findIndex(({ after }, n) => {
    const before = batches[n - 1];
    return before !== undefined && compare(before.until, after) === 0;
  });
  return [batches[pair - 1], batches[pair]] as [OpenBatch, OpenBatch];
}

it('reads batches that follow each other with one query, and again after a failure', async () => {
  const course = courseBy('event time');
  const [first, second] = await neighbours(course);
  const ahead = createReadAhead(warehouse, course);
  queries = 0;
  await ahead.read(first, [second], never);
  expect((await ahead.read(second, [], never)).events).toHaveLength(second.events);
  expect(queries).toBe(1);
  await expect(ahead.read(first, [second], AbortSignal.abort(new Error('cut off')))).rejects.toThrow();
  await expect(ahead.read(second, [], never)).resolves.toMatchObject({
    positions: { length: second.events },
  });
});

it.each([
  ['large', 6_000_000],
  ['of unknown size', null],
])('batches that are %s are read alone', async (_, bytes) => {
  const course = courseBy('event time');
  const [first, second] = (await neighbours(course)).map((batch) => ({ ...batch, bytes })) as [
    OpenBatch,
    OpenBatch,
  ];
  const ahead = createReadAhead(warehouse, course);
  queries = 0;
  expect((await ahead.read(first, [second], never)).events).toHaveLength(first.events);
  expect((await ahead.read(second, [], never)).events).toHaveLength(second.events);
  expect(queries).toBe(2);
});

it('all texts of an event count towards its size', async () => {
  const texts = {
    event: 'e',
    distinct_id: 'u',
    properties: '{}',
    person_properties: '{}',
    elements_chain: '',
  };
  const sized = Object.keys(texts).map((key) => ({ ...texts, [key]: JSON.stringify('x'.repeat(5_000)) }));
  const at = new Date(today).toISOString().slice(0, 23).replace('T', ' ');
  const lines = sized.map((row) =>
    JSON.stringify({
      ...row,
      team_id: TEAM + 1,
      uuid: crypto.randomUUID(),
      timestamp: at,
      inserted_at: at,
    }),
  );
  await engine.warehouse.insert({
    table: 'events',
    format: 'JSONEachRow',
    body: Buffer.from(lines.join('\n')),
  });
  const course = { ...courseBy('arrival'), teamId: TEAM + 1 };
  const planned = await readPositions(warehouse, course, startOf(0), END, 10, never);
  expect(planned).toHaveLength(sized.length);
  for (const { bytes } of planned) expect(bytes).toBeGreaterThan(5_000);
});

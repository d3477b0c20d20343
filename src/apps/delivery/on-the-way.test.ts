import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createBudget, type Memory } from './memory.ts';
import { createOnTheWay, type OnTheWay } from './on-the-way.ts';
import { startOf } from './position.ts';
import type { OpenBatch } from './store.ts';

const sized = (id: string, bytes: number): OpenBatch => ({
  id,
  after: startOf(0),
  until: startOf(1),
  events: 1,
  bytes,
  attempts: 0,
});
const memory = (): Memory => ({ healthy: createBudget(64), failing: createBudget(32) });

/** A delivery whose receiver takes what it is sent and does not answer. */
function silent(shared: Memory) {
  const health = { failures: 0, waitMs: 0 };
  const stopping = new AbortController();
  const [began, answers]: [string[], (() => void)[]] = [[], []];
  const seen = { room: 0 };
  const onTheWay = createOnTheWay({
    memory: shared,
    health,
    ahead: { forget: () => {} },
    mostBytes: 16,
    stopping: stopping.signal,
    onRoom: () => void seen.room++,
  });
  const begin = (batch: OpenBatch) =>
    onTheWay.begin(batch, [], () => {
      began.push(batch.id);
      return new Promise((answer) => answers.push(answer));
    });
  return { health, stopping, began, answers, seen, onTheWay, begin };
}

/** As many of these as there is room for. */
function beginAll(
  { onTheWay, begin }: { onTheWay: OnTheWay; begin: (batch: OpenBatch) => void },
  size: number,
) {
  for (let n = 0; n < 10 && onTheWay.hasRoomFor(sized(`${n}`, size)); n++) begin(sized(`${n}`, size));
}

it.each([
  ['large', 16, 1],
  ['small', 3, 5],
  ['larger than its share', 40, 1],
])(
  'a receiver that does not answer has no more than its share: batches that are %s',
  async (_, size, most) => {
    const shared = memory();
    const one = silent(shared);
    beginAll(one, size);
    await turn();
    expect(one.began).toHaveLength(most);
    expect(shared.healthy.has(16)).toBe(true);
    one.answers[0]?.();
    await turn();
    expect(one.onTheWay.hasRoomFor(sized('next', size))).toBe(true);
  },
);

it('of one delivery no two wait for memory; there is room again when the first one has got it', async () => {
  const shared = memory();
  const giveBack = await shared.healthy.take(63, new AbortController().signal);
  const one = silent(shared);
  beginAll(one, 3);
  await turn();
  expect([one.began, one.onTheWay.size]).toEqual([[], 1]);
  giveBack();
  await turn();
  expect([one.began, one.seen.room]).toEqual([['0'], 1]);
  expect(one.onTheWay.hasRoomFor(sized('next', 3))).toBe(true);
});

it.each([
  ['has begun to fail', { failures: 1, waitMs: 500 }],
  ['fails and may be asked again', { failures: 1, waitMs: 0 }],
])('what waited for memory is not sent to a receiver that meanwhile %s', async (_, meanwhile) => {
  const shared = memory();
  const giveBack = await shared.healthy.take(63, new AbortController().signal);
  const one = silent(shared);
  one.begin(sized('a', 3));
  Object.assign(one.health, meanwhile);
  giveBack();
  await turn();
  expect([one.began, one.onTheWay.size]).toEqual([[], 0]);
  expect(one.seen.room).toBe(1);
  expect(shared.healthy.has(64)).toBe(true);
});

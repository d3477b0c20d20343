import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createBudget } from './memory.ts';

/** Takes so many bytes and tells whether it has got them. */
function asking(budget: ReturnType<typeof createBudget>, bytes: number) {
  const stop = new AbortController();
  const asked = { has: false, stop: () => stop.abort(new Error('stopped')), giveBack: () => {} };
  budget.take(bytes, stop.signal).then(
    (giveBack) => Object.assign(asked, { has: true, giveBack }),
    () => {},
  );
  return asked;
}

async function have(...asked: readonly { has: boolean }[]): Promise<boolean[]> {
  await turn();
  return asked.map(({ has }) => has);
}

it('first come, first served, and no more than there is', async () => {
  const budget = createBudget(10);
  const [a, b, c, d] = [6, 4, 5, 1].map((bytes) => asking(budget, bytes)) as [Asked, Asked, Asked, Asked];
  expect(await have(a, b, c, d)).toEqual([true, true, false, false]);
  b.giveBack();
  // The small one does not overtake.
  expect(await have(c, d)).toEqual([false, false]);
  expect(budget.has(1)).toBe(false);
  a.giveBack();
  a.giveBack();
  expect(await have(c, d)).toEqual([true, true]);
  expect(budget.has(4)).toBe(true);
  expect(budget.has(5)).toBe(false);
});

it('more than there is at all goes alone; whoever stops waiting lets the next one pass', async () => {
  const budget = createBudget(10);
  const [large, other, small] = [50, 9, 1].map((bytes) => asking(budget, bytes)) as [Asked, Asked, Asked];
  expect(await have(large, other, small)).toEqual([true, false, false]);
  other.stop();
  expect(await have(other, small)).toEqual([false, false]);
  large.giveBack();
  expect(await have(other, small)).toEqual([false, true]);
});

type Asked = ReturnType<typeof asking>;

import { expect, it } from 'vitest';
import { startOf } from './position.ts';
import { createShortfalls } from './shortfall.ts';

const batch = { id: 'a', after: startOf(0), until: startOf(1), events: 10, bytes: null, attempts: 0 };

function looking(oneCopy = false) {
  const clock = { at: 0, now: () => clock.at };
  const shortfalls = createShortfalls(clock, async () => oneCopy);
  return async (seconds: number, found: number) => {
    clock.at = seconds * 1000;
    return await shortfalls.judge(batch, found).catch((error: { code: string }) => error.code);
  };
}

/** One after the other. */
async function all(look: ReturnType<typeof looking>, times: readonly number[], found: number) {
  const seen: unknown[] = [];
  for (const at of times) seen.push(await look(at, found));
  return seen;
}

it('fewer events than were planned are taken for all there are when as few are found for a while', async () => {
  const look = looking();
  const again = 'warehouse_unavailable';
  expect(await all(look, [0, 1, 3, 7, 15], 8)).toEqual([again, again, again, again, again]);
  expect(await look(30, 8)).toBe('gone');
});

it('another number begins the wait anew, and all of them end it', async () => {
  const look = looking();
  await all(look, [0, 10, 20, 29], 0);
  expect(await look(40, 7)).toBe('warehouse_unavailable');
  expect(await look(60, 7)).toBe('warehouse_unavailable');
  expect(await look(61, 10)).toBe('whole');
  expect(await look(100, 7)).toBe('warehouse_unavailable');
});

it('where there is one copy of all rows, nobody waits for more', async () => {
  const look = looking(true);
  expect([await look(0, 10), await look(1, 8), await look(2, 0)]).toEqual(['whole', 'merged', 'merged']);
});

import { expect, it } from 'vitest';
import { createTroubles } from './troubles.ts';

it('troubles in a row wait longer and longer, up to a limit; those of one moment wait once', () => {
  const clock = { at: 0, now: () => clock.at };
  const troubles = createTroubles(clock);
  const waits = Array.from({ length: 6 }, () => {
    const wait = troubles.another();
    expect(troubles.another()).toBe(wait);
    clock.at += wait;
    return wait;
  });
  expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
  troubles.over();
  expect(troubles.any).toBe(false);
  expect(troubles.another()).toBe(1_000);
});

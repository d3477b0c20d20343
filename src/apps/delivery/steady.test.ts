import { expect, it } from 'vitest';
import { steadyClock } from './steady.ts';

it('goes on where it was when the clock is set back, and ahead when it is set ahead', () => {
  const clock = { at: 10_000, now: () => clock.at, sleep: async () => {} };
  const steady = steadyClock(clock);
  const seen = [0, 5, -4_000, 7, 0, 100, -1].map((change) => {
    clock.at += change;
    return steady.now();
  });
  expect(seen).toEqual([10_000, 10_005, 10_005, 10_012, 10_012, 10_112, 10_112]);
});

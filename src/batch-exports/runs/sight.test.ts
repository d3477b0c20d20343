import { expect, it } from 'vitest';
import { createSight } from './sight.ts';

it('after a break everybody is patient for as long as the others need to be seen again', () => {
  let now = 1_000_000;
  const sight = createSight({ now: () => now });
  const after = (ms: number, looks = true) => {
    now += ms;
    const before = sight.patience();
    if (looks) sight.looked();
    return [before, sight.patience()];
  };
  const [brief, long] = [10, 1e9];
  expect(after(2_000)).toEqual([brief, brief]);
  expect(after(6_000)).toEqual([brief, brief]);
  // An outage of 12 seconds: a job may come before it looks again, or after.
  expect(after(12_000)).toEqual([long, long]);
  for (let n = 0; n < 4; n++) expect(after(2_000)).toEqual([long, long]);
  expect(after(2_000)).toEqual([brief, brief]);
});

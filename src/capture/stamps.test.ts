import { expect, it } from 'vitest';
import { createStamps } from './stamps.ts';

it('each is later than the one before and than what counts as read, whatever the clock does', () => {
  let now = 1_000;
  const stamps = createStamps({ now: () => now }, 0);
  expect(stamps.next()).toBe(1_000_000);
  expect(stamps.next()).toBe(1_000_001);
  now = 5_000;
  stamps.passed(5_000);
  // An hour that was never: the clock was ahead when an interval was read, and is set back.
  now = 2_000;
  expect(stamps.next()).toBe(5_000_000);
  stamps.passed(3_000);
  expect(stamps.next()).toBe(5_000_001);
  now = 6_000;
  expect(stamps.next()).toBe(6_000_000);
});

it('the newest of all is one that was given out or stored, not what counts as read', () => {
  let now = 1_000;
  const stamps = createStamps({ now: () => now }, 5_000_000);
  expect(stamps.newest()).toBe(5_000_000);
  stamps.passed(9_000);
  expect(stamps.newest()).toBe(5_000_000);
  now = 10_000;
  expect(stamps.next()).toBe(stamps.newest());
});

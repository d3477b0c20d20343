import { expect, it } from 'vitest';
import { waitAfter } from './backoff.ts';

const backoff = { baseMs: 1000, capMs: 60_000 };

it.each([
  ['first, least', 1, undefined, 0, 500],
  ['first, most', 1, undefined, 1, 1000],
  ['fourth', 4, undefined, 1, 8000],
  ['capped', 60, undefined, 1, 60_000],
  ['Retry-After is the least', 1, 7, 0.5, 7000],
  ['Retry-After below the backoff changes nothing', 5, 1, 1, 16_000],
  ['nobody can ask for more than an hour', 1, 1e9, 0, 3_600_000],
])('%s', (_, failures, retryAfter, random, expected) => {
  expect(waitAfter(backoff, failures, retryAfter, () => random)).toBe(expected);
});

import { expect, it } from 'vitest';
import { afterFailure } from './retry-policy.ts';

const NOW = 1_000_000;
const failed = (failures: number, bugs = 0) => ({ failures, bugs });
const policy = (chance: number, firstWaitMs = 5_000) => ({ firstWaitMs, random: () => chance });

it('fails at once what a person must fix', () => {
  expect(afterFailure('user', failed(1), NOW, policy(0))).toEqual({ do: 'fail', status: 'Failed' });
});

it('tries a bug three times, then fails', () => {
  expect(afterFailure('bug', failed(2, 2), NOW, policy(0)).do).toBe('retry');
  expect(afterFailure('bug', failed(3, 3), NOW, policy(0))).toEqual({ do: 'fail', status: 'Failed' });
});

it('tries a first bug again after any number of other failures', () => {
  expect(afterFailure('bug', failed(100, 1), NOW, policy(0)).do).toBe('retry');
});

it.each([
  [1, 5_000],
  [2, 10_000],
  [4, 40_000],
  [8, 600_000],
  [149, 600_000],
])('waits at most the capped double after failure %i', (failures, ceiling) => {
  const shortest = afterFailure('retry', failed(failures), NOW, policy(0));
  const longest = afterFailure('retry', failed(failures), NOW, policy(1));
  expect(shortest).toEqual({ do: 'retry', at: NOW + ceiling / 2 });
  expect(longest).toEqual({ do: 'retry', at: NOW + ceiling });
});

it('begins with the wait it is told', () => {
  expect(afterFailure('retry', failed(2), NOW, policy(1, 1_000))).toEqual({ do: 'retry', at: NOW + 2_000 });
});

it('gives up after about a day', () => {
  expect(afterFailure('retry', failed(150), NOW, policy(0))).toEqual({
    do: 'fail',
    status: 'FailedRetryable',
  });
});

import type { ErrorKind } from '../../errors/catalogue.ts';

export type Verdict =
  /** Try the run again at `at` (milliseconds since the epoch). */
  | { readonly do: 'retry'; readonly at: number }
  | { readonly do: 'fail'; readonly status: 'Failed' | 'FailedRetryable' };

/** Upstream's ladder reaches an hour, which is a silent lag of hours (engine.md §9.10). */
const LONGEST_WAIT_MS = 600_000;
/** A bug of ours is not cured by repetition; a hiccup taken for one may be. */
const BUG_FAILURES = 3;
/** About a day of trying at the longest wait. */
const MAX_FAILURES = 150;

export interface RetryPolicy {
  /** The wait after the first failure, milliseconds; it doubles with each. */
  readonly firstWaitMs: number;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
}

export interface Failures {
  /** Of any kind. */
  readonly failures: number;
  /** Those for which nobody but us can be blamed. */
  readonly bugs: number;
}

/**
 * What to do after a run failed with an error of `kind`, counted among its failures. Capped exponential
 * backoff with full jitter over its upper half: by default 5 s, 10 s, 20 s … 10 min.
 */
export function afterFailure(
  kind: ErrorKind,
  { failures, bugs }: Failures,
  now: number,
  policy: RetryPolicy,
): Verdict {
  if (kind === 'user') return { do: 'fail', status: 'Failed' };
  if (kind === 'bug' && bugs >= BUG_FAILURES) return { do: 'fail', status: 'Failed' };
  if (failures >= MAX_FAILURES) return { do: 'fail', status: 'FailedRetryable' };
  const ceiling = Math.min(LONGEST_WAIT_MS, policy.firstWaitMs * 2 ** Math.min(failures - 1, 20));
  return { do: 'retry', at: Math.round(now + ceiling * (0.5 + policy.random() / 2)) };
}

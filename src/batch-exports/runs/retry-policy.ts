import type { ErrorKind } from '../../errors/catalogue.ts';

export type Verdict =
  /** Try the run again at `at` (milliseconds since the epoch). */
  | { readonly do: 'retry'; readonly at: number }
  | { readonly do: 'fail'; readonly status: 'Failed' | 'FailedRetryable' };

const FIRST_WAIT_MS = 5_000;
/** Upstream's ladder reaches an hour, which is a silent lag of hours (engine.md §9.10). */
const LONGEST_WAIT_MS = 600_000;
/** A bug of ours is not cured by repetition; a hiccup taken for one may be. */
const BUG_ATTEMPTS = 3;
/** About a day of trying at the longest wait. */
const MAX_ATTEMPTS = 150;

/**
 * What to do after attempt number `attempt` (from 1) failed with an error of `kind`. Capped exponential
 * backoff with full jitter over its upper half: 5 s, 10 s, 20 s … 10 min. `random` is 0 ≤ x < 1.
 */
export function afterFailure(kind: ErrorKind, attempt: number, now: number, random: () => number): Verdict {
  if (kind === 'user') return { do: 'fail', status: 'Failed' };
  if (kind === 'bug' && attempt >= BUG_ATTEMPTS) return { do: 'fail', status: 'Failed' };
  if (attempt >= MAX_ATTEMPTS) return { do: 'fail', status: 'FailedRetryable' };
  const ceiling = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempt - 1, 20));
  return { do: 'retry', at: Math.round(now + ceiling * (0.5 + random() / 2)) };
}

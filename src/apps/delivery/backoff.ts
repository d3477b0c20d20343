/** How long an app that fails is left alone. */
export interface Backoff {
  readonly baseMs: number;
  readonly capMs: number;
}

export const BACKOFF: Backoff = { baseMs: 1_000, capMs: 300_000 };

/** When a historical export whose batches fail has failed itself: the next one begins with its first event. */
export interface Patience {
  /** Failures in a row, of those that a person must mend. */
  readonly attempts: number;
  /** For all others, milliseconds without a success, and no fewer failures. */
  readonly ms: number;
}

/** Ten attempts are ten minutes with the backoff above. */
export const HISTORICAL_PATIENCE: Patience = { attempts: 10, ms: 86_400_000 };
/** Longer waits than this a receiver cannot ask for. */
const LONGEST_WISH_MS = 3_600_000;

/**
 * Milliseconds to wait after the `failures`-th failure in a row: exponential, capped, at least half of it and the rest
 * random; never less than the receiver asked for (`Retry-After`, seconds).
 */
export function waitAfter(
  backoff: Backoff,
  failures: number,
  retryAfter: number | undefined,
  random: () => number,
): number {
  const full = Math.min(backoff.capMs, backoff.baseMs * 2 ** Math.min(30, failures - 1));
  return Math.round(Math.max(wishOf(retryAfter), full / 2 + (random() * full) / 2));
}

/** Milliseconds: no wait is longer. */
export const longestWait = ({ capMs }: Backoff): number => Math.max(LONGEST_WISH_MS, capMs);

/** Milliseconds that a receiver may ask for with `Retry-After`, seconds. */
export const wishOf = (retryAfter: number | undefined): number =>
  Math.min(LONGEST_WISH_MS, (retryAfter ?? 0) * 1000);

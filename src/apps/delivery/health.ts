import type { Clock } from '../../work/clock.ts';
import { type Backoff, longestWait, waitAfter, wishOf } from './backoff.ts';
import type { Counters } from './ports.ts';
import type { Delivery } from './store.ts';

/** How a receiver has been doing, and when it may be asked again. */
export interface Health {
  /** Failures in a row. */
  readonly failures: number;
  /** Of the newest of these, so many in a row are a person's to mend; since this process began. */
  readonly toMend: number;
  /** Milliseconds since the first of them. */
  readonly failingMs: number;
  /** Milliseconds from now on; 0 = it may be asked. */
  readonly waitMs: number;
  /**
   * An attempt failed. Batches that were on the way together fail together: that is one failure, but none of them asks for a
   * longer wait (`retryAfter`, seconds) in vain.
   */
  failed(failure: { readonly retryAfter: number | undefined; readonly toMend: boolean }): void;
  /** One event, for good. Returns whether that is news: of many in a row, one in a hundred is. */
  refused(): boolean;
  /** Ends the row of failures. A wait that another batch's failure imposed stays. */
  succeeded(): void;
  /** Not the receiver's fault. */
  pause(ms: number): void;
  /** Nobody asks any more. */
  close(): void;
}

export interface HealthPorts {
  /** One that does not go back. */
  readonly clock: Pick<Clock, 'now'>;
  readonly random: () => number;
  readonly counters: Pick<Counters, 'failing' | 'attemptFailed'>;
}

/** Of refusals in a row: these, and every hundredth after them, are told one by one. */
const TOLD = 10;

/** @param stored by the machine's clock, which may have been set back since. */
export function createHealth(
  { clock, random, counters }: HealthPorts,
  backoff: Backoff,
  stored: Pick<Delivery, 'failures' | 'failingSince' | 'nextAttemptAt'>,
): Health {
  let failures = stored.failures;
  let notBefore = Math.min(stored.nextAttemptAt ?? 0, clock.now() + longestWait(backoff));
  /** End of the wait for the latest failure. */
  let failedUntil = notBefore;
  let failingSince = Math.min(stored.failingSince ?? clock.now(), clock.now());
  let toMend = 0;
  let refusals = 0;
  const change = (to: number) => {
    if (failures > 0 !== to > 0) counters.failing(to > 0 ? 1 : -1);
    failures = to;
  };
  if (failures > 0) counters.failing(1);
  return {
    get failures() {
      return failures;
    },
    get toMend() {
      return toMend;
    },
    get failingMs() {
      return failures > 0 ? clock.now() - failingSince : 0;
    },
    get waitMs() {
      return Math.max(0, notBefore - clock.now());
    },
    failed: ({ retryAfter, toMend: isToMend }) => {
      counters.attemptFailed();
      const now = clock.now();
      let wait = wishOf(retryAfter);
      if (failures === 0 || now >= failedUntil) {
        if (failures === 0) failingSince = now;
        change(failures + 1);
        toMend = isToMend ? toMend + 1 : 0;
        wait = waitAfter(backoff, failures, retryAfter, random);
        failedUntil = now + wait;
      }
      notBefore = Math.max(notBefore, now + wait);
    },
    refused: () => {
      refusals += 1;
      return refusals <= TOLD || refusals % 100 === 0;
    },
    succeeded: () => {
      change(0);
      toMend = 0;
      refusals = 0;
    },
    pause: (ms) => {
      notBefore = Math.max(notBefore, clock.now() + ms);
    },
    close: () => change(0),
  };
}

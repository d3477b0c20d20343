import { SluiceError } from '../errors/error.ts';
import type { Clock } from '../work/clock.ts';

interface Rate {
  readonly requests: number;
  readonly windowMs: number;
}

/** contract.md §1.6: burst and sustained, per personal API key. */
const RATES: readonly Rate[] = [
  { requests: 480, windowMs: 60_000 },
  { requests: 4800, windowMs: 3_600_000 },
];
/** Ours: upstream's figures for `count_rows` are not known, only that they are tighter. */
const COSTLY_RATES: readonly Rate[] = [
  { requests: 60, windowMs: 60_000 },
  { requests: 600, windowMs: 3_600_000 },
];
const LONGEST_MS = 3_600_000;

export interface Throttle {
  /** Counts one request. Throws `throttled` with the wait. Sessions (null) are not counted. */
  admit(keyHash: string | null): void;
  /** Throws as `admit` would now, but counts and remembers nothing. */
  check(keyHash: string): void;
  /** As if it had never been counted. */
  forget(keyHash: string): void;
}

export interface ApiThrottle {
  /** Throws `throttled`. Costly endpoints are counted apart from the others. */
  admit(keyHash: string | null, projectId: number | null, costly: boolean): void;
}

/** The throttles of the whole API; requests to `exempt` projects are not counted (contract.md §1.6). */
export function createApiThrottle(clock: Pick<Clock, 'now'>, exempt: readonly number[]): ApiThrottle {
  const usual = createThrottle(clock, RATES);
  const tight = createThrottle(clock, COSTLY_RATES);
  return {
    admit(keyHash, projectId, costly) {
      if (projectId !== null && exempt.includes(projectId)) return;
      (costly ? tight : usual).admit(keyHash);
    },
  };
}

/** Sliding windows in this process's memory: at most 4800 numbers for each key used in the last hour. */
export function createThrottle(clock: Pick<Clock, 'now'>, rates: readonly Rate[] = RATES): Throttle {
  const history = new Map<string, number[]>();
  let sweepAt = clock.now() + LONGEST_MS;
  return {
    admit(keyHash) {
      if (keyHash === null) return;
      const now = clock.now();
      if (now >= sweepAt) {
        forgetIdle(history, now);
        sweepAt = now + LONGEST_MS;
      }
      const times = past(history.get(keyHash) ?? [], now);
      refuseBeyond(rates, times, now);
      times.push(now);
      const most = Math.max(...rates.map((rate) => rate.requests));
      // Shortened now and then, not at each request: moving thousands of numbers is not free.
      if (times.length > 2 * most) times.splice(0, times.length - most);
      history.set(keyHash, times);
    },
    check: (keyHash) => {
      const now = clock.now();
      refuseBeyond(rates, past(history.get(keyHash) ?? [], now), now);
    },
    forget: (keyHash) => void history.delete(keyHash),
  };
}

/** What is later than `now` was counted before the clock was set back; kept, it would refuse for as long as that. */
function past(times: number[], now: number): number[] {
  while ((times.at(-1) ?? now) > now) times.pop();
  return times;
}

function refuseBeyond(rates: readonly Rate[], times: readonly number[], now: number): void {
  for (const rate of rates) {
    const retryAt = times.length < rate.requests ? null : (times.at(-rate.requests) ?? 0) + rate.windowMs;
    if (retryAt !== null && retryAt > now) throw throttled(Math.ceil((retryAt - now) / 1000));
  }
}

function forgetIdle(history: Map<string, number[]>, now: number): void {
  for (const [key, times] of history) {
    if ((times.at(-1) ?? 0) + LONGEST_MS <= now) history.delete(key);
  }
}

function throttled(seconds: number): SluiceError {
  return new SluiceError('throttled', {
    retryAfter: seconds,
    detail: `Request was throttled. Expected available in ${seconds} second${seconds === 1 ? '' : 's'}.`,
  });
}

/** How patient we are with a store. */
export interface Limits {
  /** Milliseconds for a connection to be made. */
  readonly connectMs: number;
  /** Milliseconds without a single byte either way. */
  readonly idleMs: number;
  /** Below this many bytes per second, a request counts as stalled … */
  readonly minRate: number;
  /** … but not before so many milliseconds. */
  readonly graceMs: number;
  /** Tries per request, the first included. */
  readonly attempts: number;
  /** Backoff: a random wait below `baseMs · 2^n`, `capMs` at most. */
  readonly baseMs: number;
  readonly capMs: number;
  /** Bytes of part buffers per file; at least two buffers, whatever their size. */
  readonly bufferBytes: number;
  /** Of one listing. An upload has ten of parts at most. */
  readonly pages: number;
}

/** Four parts of 16 MiB in flight and one being filled: 80 MiB per file. Six tries wait up to 12 s. */
export const defaultLimits: Limits = {
  connectMs: 10_000,
  idleMs: 60_000,
  minRate: 65_536,
  graceMs: 60_000,
  attempts: 6,
  baseMs: 400,
  capMs: 20_000,
  bufferBytes: 5 * 16 * 1024 * 1024,
  pages: 1_000,
};

/** The default limits with another patience, milliseconds. */
export function limitsFor(timeoutMs: number): Limits {
  return {
    ...defaultLimits,
    connectMs: Math.min(defaultLimits.connectMs, timeoutMs),
    idleMs: timeoutMs,
    graceMs: timeoutMs,
  };
}

/** Milliseconds after which a request that moves `bytes` has stalled. */
export function deadlineMs(limits: Limits, bytes: number): number {
  return limits.graceMs + Math.ceil((bytes / limits.minRate) * 1000);
}

/** Milliseconds to wait after try `attempt` (from 1): capped, exponential, fully jittered. */
export function backoffMs(limits: Limits, attempt: number, random: () => number): number {
  return Math.round(random() * Math.min(limits.capMs, limits.baseMs * 2 ** (attempt - 1)));
}

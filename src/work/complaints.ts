import type { Clock } from './clock.ts';
import type { Log } from './log.ts';

/** Told how each attempt at something that is done again and again went. */
export interface Report {
  /** `fields` go into the line, if there is one. */
  failed(error: unknown, fields?: object): void;
  worked(): void;
}

/** For what shows elsewhere when it fails. */
export const silent: Report = { failed: () => {}, worked: () => {} };

const EVERY_MS = 60_000;

/** So many kinds of errors are kept apart. */
const MOST_KINDS = 20;

/**
 * A log that an outage does not flood: `what` is told at its first failure, then at most once a minute with the number
 * of failures since, and once when it works again. What comes and goes within a minute is told at most once a minute,
 * too. An error of another kind is told at once: an outage must not hide a bug.
 */
export function complaints(log: Pick<Log, 'warn' | 'info'>, clock: Pick<Clock, 'now'>, what: string): Report {
  const toldAt = new Map<string, number>();
  let untold = 0;
  let failures = 0;
  let told = false;
  return {
    failed: (err, fields = {}) => {
      failures++;
      untold++;
      // A clock that was set back must not silence anybody.
      const kind = labelOf(err);
      if (Math.abs(clock.now() - (toldAt.get(kind) ?? Number.NEGATIVE_INFINITY)) < EVERY_MS) return;
      log.warn({ err, ...fields, ...(untold > 1 && { failures: untold }) }, what);
      if (toldAt.size >= MOST_KINDS) toldAt.clear();
      toldAt.set(kind, clock.now());
      untold = 0;
      told = true;
    },
    worked: () => {
      if (failures === 0) return;
      if (told) log.info({ failures }, `over: ${what}`);
      told = false;
      failures = 0;
    },
  };
}

/** Messages may differ each time: ids, ports and durations stand in them. */
function labelOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const { code } = error as { readonly code?: unknown };
  return `${error.name} ${typeof code === 'string' ? code : ''}`;
}

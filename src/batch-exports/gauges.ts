import { sql } from 'kysely';
import { Gauge, type Registry } from 'prom-client';
import type { Clock } from '../work/clock.ts';
import type { Db } from './ports.ts';
import { ACTIVE_RUN_STATES } from './runs/machine.ts';

export interface Backlog {
  readonly active: number;
  /** Milliseconds since the epoch; null = there is none. */
  readonly oldestCreatedAt: number | null;
  readonly earliestDueAt: number | null;
  /** Exports that paused themselves and that nobody has unpaused since. */
  readonly pausedByFailures: number;
}

/**
 * What waits, is at work or has paused itself, for all processes on this database, and since when. Reads the indexes of
 * what is active, of what is due and of what paused itself.
 */
export async function readBacklog(db: Db): Promise<Backlog> {
  const runs = await db
    .selectFrom('batch_export_runs')
    .select([sql<number>`count(*)::int`.as('active'), sql<Date | null>`min(created_at)`.as('oldest')])
    .where('status', 'in', [...ACTIVE_RUN_STATES])
    .executeTakeFirstOrThrow();
  const due = await db
    .selectFrom('batch_exports')
    .select('next_due_at')
    .where('next_due_at', 'is not', null)
    .orderBy('next_due_at')
    .limit(1)
    .executeTakeFirst();
  const paused = await db
    .selectFrom('batch_exports')
    .select(sql<number>`count(*)::int`.as('count'))
    .where('paused_by_failures', '=', true)
    .where('deleted_at', 'is', null)
    .executeTakeFirstOrThrow();
  return {
    active: runs.active,
    oldestCreatedAt: runs.oldest?.getTime() ?? null,
    earliestDueAt: due?.next_due_at?.getTime() ?? null,
    pausedByFailures: paused.count,
  };
}

/** A scrape waits no longer for the database: it tells of other things, too. */
const PATIENCE_MS = 2_000;

/** Gauges that are read when `/metrics` is; while the database does not answer they are left out. */
export function installGauges(registry: Registry, clock: Clock, read: () => Promise<Backlog>): void {
  let looking: Promise<Backlog | null> | undefined;
  const backlog = () => {
    looking ??= inTime(clock, read).finally(() => {
      looking = undefined;
    });
    return looking;
  };
  const gauge = (name: string, help: string, value: (found: Backlog) => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      async collect() {
        const found = await backlog();
        if (found) this.set(value(found));
        else this.remove();
      },
    });
  const secondsSince = (ms: number | null) => (ms === null ? 0 : Math.max(0, (clock.now() - ms) / 1000));

  gauge('sluice_runs_active', 'Runs that wait or are at work.', ({ active }) => active);
  gauge('sluice_runs_oldest_active_age_seconds', 'Age of the oldest of them.', ({ oldestCreatedAt }) =>
    secondsSince(oldestCreatedAt),
  );
  gauge(
    'sluice_exports_most_overdue_seconds',
    'How long ago the next run of an export should have been created, of the latest one.',
    ({ earliestDueAt }) => secondsSince(earliestDueAt),
  );
  gauge(
    'sluice_exports_paused_by_failures',
    'Exports that paused themselves because their runs failed, and are paused still.',
    ({ pausedByFailures }) => pausedByFailures,
  );
}

/** Null when there is no answer in time, or none at all. */
async function inTime(clock: Clock, read: () => Promise<Backlog>): Promise<Backlog | null> {
  const over = new AbortController();
  const late = clock.sleep(PATIENCE_MS, over.signal).then(
    () => null,
    () => null,
  );
  try {
    return await Promise.race([read().catch(() => null), late]);
  } finally {
    over.abort();
  }
}

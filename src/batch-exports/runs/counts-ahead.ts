import type { Region } from '../../database/tables.ts';
import { type CountedAhead, countAhead, FEW_ROWS } from '../../export/count-ahead.ts';
import { NO_ROWS } from '../../export/fingerprint.ts';
import type { RunSpec, Tally } from '../../export/spec.ts';
import type { Warehouse } from '../../warehouse/warehouse.ts';
import { backfillSteps } from '../backfills/steps.ts';
import type { Db } from '../ports.ts';
import { nominalLength } from '../schedule/intervals.ts';
import { scheduleOf } from '../schedule/schedule.ts';
import type { ClaimedRun } from './store.ts';

/** What a run of a backfill holds at the source, when a scan for its neighbours has found that already; else null. */
export type CountsAhead = (run: ClaimedRun, spec: RunSpec) => Promise<Tally | null>;

/** Intervals counted in one scan; their beginnings go into the query's address. */
const MOST_AHEAD = 256;
/** Backfills remembered. */
const REMEMBERED = 50;

interface Window {
  /** What all its runs must have in common besides their bounds. */
  readonly signature: string;
  /** Start → end of each interval. */
  readonly steps: ReadonlyMap<number, number>;
  readonly counted: CountedAhead | null;
}

/**
 * Small intervals of a backfill are counted together: one scan instead of two queries for each run, which were a
 * quarter of its time (ARCHITECTURE.md). Right because the rows are fixed: a run by event time reads what had
 * arrived by a moment that the watermark has passed. A run whose bounds, excludes or names differ from what
 * was counted is counted by itself, as is every repeated attempt; and every file is compared with its count in any case.
 */
export function openCountsAhead(ports: { readonly db: Db; readonly warehouse: Warehouse }): CountsAhead {
  const windows = new Map<string, Promise<Window | null>>();

  const look = async (backfillId: string, spec: RunSpec, signature: string): Promise<Window> => {
    const steps = await neighbours(ports.db, backfillId, spec);
    const counted = await count(ports.warehouse, spec, steps);
    return { signature, steps: new Map(steps.map(({ start, end }) => [start, end])), counted };
  };

  /** One after the other for a backfill: of neighbours that ask at once, one looks. */
  const windowFor = (backfillId: string, spec: RunSpec, signature: string): Promise<Window | null> => {
    const start = spec.region.eventFrom ?? 0;
    const before = windows.get(backfillId) ?? Promise.resolve(null);
    const window = before.then((known) =>
      known?.signature === signature && known.steps.has(start) ? known : look(backfillId, spec, signature),
    );
    windows.delete(backfillId);
    // Counting ahead is a courtesy: who meets an error counts by itself, and the next one looks again.
    windows.set(
      backfillId,
      window.catch(() => null),
    );
    for (const oldest of [...windows.keys()].slice(0, Math.max(0, windows.size - REMEMBERED))) {
      windows.delete(oldest);
    }
    return window.catch(() => null);
  };

  return async (run, spec) => {
    const signature = signatureOf(run, spec);
    const { eventFrom: start, eventTo: end } = spec.region;
    if (signature === null || run.backfillId === null || start === null) return null;
    const window = await windowFor(run.backfillId, spec, signature);
    if (!window?.counted || window.steps.get(start) !== end) return null;
    const found = window.counted.get(start);
    return found === undefined ? NO_ROWS : found;
  };
}

/** Null for a run that cannot share a scan. Live runs that delivered some of the rows are left out by arrival alone. */
function signatureOf(run: ClaimedRun, { region, excludes, ...spec }: RunSpec): string | null {
  const { arrivalFrom, arrivalTo, eventFrom, eventTo } = region;
  const plain = spec.model === 'events' && spec.filters.length === 0 && run.attempt === 1;
  const byEvent = arrivalFrom === null && arrivalTo !== null && (eventFrom ?? -1) >= 0 && eventTo !== null;
  const throughout = excludes.every((each) => each.eventFrom === eventFrom && each.eventTo === eventTo);
  if (!plain || !byEvent || !throughout) return null;
  return JSON.stringify([arrivalTo, excludes.map(arrivals), spec.includeEvents, spec.excludeEvents]);
}

const arrivals = ({ arrivalFrom, arrivalTo }: Region): Region => ({
  arrivalFrom,
  arrivalTo,
  eventFrom: null,
  eventTo: null,
});

interface Step {
  readonly start: number;
  readonly end: number;
}

/** The run's interval and those that follow in its backfill, as many as are few rows by the backfill's estimate. */
async function neighbours(db: Db, backfillId: string, { region }: RunSpec): Promise<Step[]> {
  const row = await db
    .selectFrom('batch_export_backfills as backfill')
    .innerJoin('batch_exports as export', 'export.id', 'backfill.batch_export_id')
    .select(['backfill.start_at as from', 'backfill.end_at as to', 'total_records_count', 'retry_of'])
    .select(['export.id', 'interval', 'timezone', 'interval_offset', 'export.start_at', 'export.end_at'])
    .where('backfill.id', '=', backfillId)
    .executeTakeFirstOrThrow();
  const { eventFrom: start, eventTo: end } = region;
  if (start === null || end === null || row.retry_of || !row.from || !row.to) return [];
  const schedule = scheduleOf(row);
  const intervals = Math.max(1, (row.to.getTime() - row.from.getTime()) / nominalLength(schedule.interval));
  const each = (row.total_records_count ?? 0) / intervals;
  const most = Math.min(MOST_AHEAD, Math.floor(FEW_ROWS / 2 / Math.max(1, each)));
  const steps = most < 2 ? [] : backfillSteps(schedule, start, row.to.getTime(), most);
  // The schedule was changed since: what follows is not what is expected.
  return steps[0]?.end === end ? steps : [];
}

async function count(
  warehouse: Warehouse,
  spec: RunSpec,
  steps: readonly Step[],
): Promise<CountedAhead | null> {
  const last = steps.at(-1);
  if (!last) return null;
  const region = { ...spec.region, eventTo: last.end };
  const wider = { ...spec, region, excludes: spec.excludes.map(arrivals) };
  return countAhead(
    warehouse,
    wider,
    steps.map(({ start }) => start),
  );
}

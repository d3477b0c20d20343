import type { Warehouse } from '../../warehouse/warehouse.ts';
import type { BatchLimits } from '../catalogue/app.ts';
import type { Course } from './course.ts';
import { cutBatches, type PlannedBatch } from './cut.ts';
import { type Position, startOf } from './position.ts';
import { nextFirst, readPositions } from './read.ts';

export interface Plan {
  readonly batches: readonly PlannedBatch[];
  /** Everything up to here is in a batch, or has no events. */
  readonly cursor: Position;
  /** Milliseconds since the epoch: events that wait for others must go then; null = none wait. */
  readonly restDueAt: number | null;
  /** Whether nothing but the rest is left before `end`. */
  readonly reachedEnd: boolean;
}

export interface PlanPorts {
  readonly warehouse: Pick<Warehouse, 'rows'>;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly signal: AbortSignal;
}

/** How far a look goes along the first coordinate, microseconds; adapts to how dense the events are. */
export interface Reach {
  micros: number;
}

const SHORTEST = 1_000_000;
/** Fewer events than a batch holds in so long a time go without company. */
const LONGEST = 32 * 86_400_000_000;
/** Rows per look, of which only the ids and sizes are read. */
const MOST_ROWS = 20_000;

export const firstReach = (): Reach => ({ micros: 60_000_000 });

/**
 * Cuts the next batches after `cursor` and before `end` (microseconds, exclusive). A last one that is not full waits
 * `waitMs` for company; with `waitMs` 0 it goes at once. Reads no more than a few batches' ids, however much is left.
 * Throws the warehouse's errors, and when `signal` aborts.
 */
export async function planBatches(
  ports: PlanPorts,
  course: Course,
  cursor: Position,
  end: number,
  limits: BatchLimits,
  reach: Reach,
): Promise<Plan> {
  const most = Math.max(limits.events, Math.min(MOST_ROWS, limits.events * 10));
  let from = cursor;
  for (;;) {
    if (from.first >= end) return { batches: [], cursor: from, restDueAt: null, reachedEnd: true };
    const to = Math.min(end, from.first + reach.micros);
    const rows = await readPositions(ports.warehouse, course, from, to, most, ports.signal);
    const { full, rest } = cutBatches(rows, from, limits);
    if (rows.length >= most) {
      reach.micros = Math.max(SHORTEST, Math.floor(reach.micros / 2));
      return planned(full, from);
    }
    if (to === end)
      return atEnd(ports.now, full, rest, rows[rows.length - (rest?.events ?? 0)], from, limits);
    if (full.length > 0) return planned(full, from);
    if (rest === null) {
      // Nothing for as far as this looks: jump to what comes next.
      const next = await nextFirst(ports.warehouse, course, from, end, ports.signal);
      if (next === null) return { batches: [], cursor: from, restDueAt: null, reachedEnd: true };
      from = startOf(next);
    } else if (reach.micros >= LONGEST) return planned([rest], from);
    else reach.micros = Math.min(LONGEST, reach.micros * 2);
  }
}

function planned(full: readonly PlannedBatch[], from: Position): Plan {
  return { batches: full, cursor: full.at(-1)?.until ?? from, restDueAt: null, reachedEnd: false };
}

function atEnd(
  now: number,
  full: readonly PlannedBatch[],
  rest: PlannedBatch | null,
  firstOfRest: Position | undefined,
  from: Position,
  { waitMs }: BatchLimits,
): Plan {
  const dueAt = rest && firstOfRest ? firstOfRest.first / 1000 + waitMs : null;
  const waits = waitMs > 0 && dueAt !== null && dueAt > now;
  const batches = rest && !waits ? [...full, rest] : full;
  return {
    batches,
    cursor: batches.at(-1)?.until ?? from,
    restDueAt: waits ? dueAt : null,
    reachedEnd: true,
  };
}

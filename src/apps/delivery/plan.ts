import type { Warehouse } from '../../warehouse/warehouse.ts';
import type { BatchLimits } from '../catalogue/app.ts';
import type { Course } from './course.ts';
import { cutBatches, type PlannedBatch } from './cut.ts';
import { compare, type Position, startOf } from './position.ts';
import { type Reach, SHORTEST, type Stretch } from './reach.ts';
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
  /** Milliseconds since the epoch, by the clock that events are stamped with. */
  readonly now: number;
  readonly signal: AbortSignal;
}

/** Rows per look, of which only the ids and sizes are read. */
const MOST_ROWS = 20_000;

/**
 * Cuts the next batches after `cursor` and before `end` (microseconds, exclusive). A last one that is not full waits
 * `waitMs` for company; with `waitMs` 0 it goes at once, as does one that is stamped after `now`. Reads no more than a few batches' ids, however much is left.
 * Throws the warehouse's errors when nothing has been found before, and when `signal` aborts; what was too much for the
 * warehouse, the next plan asks for in smaller pieces.
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
  /** Of a shorter look from there. */
  let waiting: PlannedBatch | null = null;
  try {
    for (;;) {
      const step = await look();
      if (step) return step;
    }
  } catch (error) {
    if (ports.signal.aborted || (compare(from, cursor) === 0 && !waiting)) throw error;
    return planned(waiting ? [waiting] : [], from);
  }

  async function look(): Promise<Plan | null> {
    if (from.first >= end) return { batches: [], cursor: from, restDueAt: null, reachedEnd: true };
    const to = Math.min(end, from.first + Math.min(reach.micros, reach.looks.most));
    const rows = await within(reach.looks, to - from.first, ports.signal, () =>
      readPositions(ports.warehouse, course, from, to, most, ports.signal),
    );
    const { full, rest } = cutBatches(rows, from, limits);
    if (rows.length >= most) {
      reach.micros = Math.max(SHORTEST, Math.floor(Math.min(reach.micros, reach.looks.most) / 2));
      return planned(full, from);
    }
    if (to === end)
      return atEnd(ports.now, full, rest, rows[rows.length - (rest?.events ?? 0)], from, limits);
    if (full.length > 0) return planned(full, from);
    if (rest === null) {
      // Nothing for as far as this looks: jump to what comes next.
      const bound = Math.min(end, from.first + reach.leaps.most);
      const next = await within(reach.leaps, bound - from.first, ports.signal, () =>
        nextFirst(ports.warehouse, course, from, bound, ports.signal),
      );
      if (next === null && bound === end)
        return { batches: [], cursor: from, restDueAt: null, reachedEnd: true };
      from = startOf(next ?? bound);
    } else if (reach.micros >= reach.looks.most) return planned([rest], from);
    else {
      waiting = rest;
      reach.micros = Math.min(reach.looks.most, reach.micros * 2);
    }
    return null;
  }
}

/** Asks, and notes whether so much can be asked for. */
async function within<T>(
  stretch: Stretch,
  micros: number,
  signal: AbortSignal,
  ask: () => Promise<T>,
): Promise<T> {
  try {
    const answer = await ask();
    stretch.worked(micros);
    return answer;
  } catch (error) {
    if (!signal.aborted) stretch.failed(micros, error);
    throw error;
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
  const arrivedAt = rest && firstOfRest ? firstOfRest.first / 1000 : null;
  const dueAt = arrivedAt === null ? null : arrivedAt + waitMs;
  // One that is yet to arrive was here before the clock was set back; nobody knows for how long it has waited.
  const waits = arrivedAt !== null && dueAt !== null && arrivedAt <= now && dueAt > now;
  const batches = rest && !waits ? [...full, rest] : full;
  return {
    batches,
    cursor: batches.at(-1)?.until ?? from,
    restDueAt: waits ? dueAt : null,
    reachedEnd: true,
  };
}

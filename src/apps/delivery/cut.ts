import type { BatchLimits } from '../catalogue/app.ts';
import type { Position, Span } from './position.ts';
import type { PlannedRow } from './read.ts';

export interface PlannedBatch extends Span {
  readonly events: number;
  /** About so many, of all its events; null = not known. */
  readonly bytes: number | null;
}

/**
 * Cuts rows that follow `after` into batches, each full but the last; a row larger than the limit goes alone.
 */
export function cutBatches(
  rows: readonly PlannedRow[],
  after: Position,
  limits: Pick<BatchLimits, 'events' | 'bytes'>,
): { readonly full: PlannedBatch[]; readonly rest: PlannedBatch | null } {
  const full: PlannedBatch[] = [];
  let start = after;
  let last: PlannedRow | null = null;
  let events = 0;
  let bytes = 0;
  for (const row of rows) {
    const fits = events < limits.events && bytes + row.bytes <= limits.bytes;
    if (last !== null && !fits) {
      full.push({ after: start, until: at(last), events, bytes });
      start = at(last);
      events = 0;
      bytes = 0;
    }
    events += 1;
    bytes += row.bytes;
    last = row;
  }
  if (last === null) return { full, rest: null };
  const rest = { after: start, until: at(last), events, bytes };
  return events >= limits.events ? { full: [...full, rest], rest: null } : { full, rest };
}

const at = ({ first, second, uuid }: Position): Position => ({ first, second, uuid });

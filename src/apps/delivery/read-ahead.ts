import type { Warehouse } from '../../warehouse/warehouse.ts';
import type { Course } from './course.ts';
import { compare, type Position } from './position.ts';
import { type PlacedEvents, readEvents } from './read.ts';
import type { OpenBatch } from './store.ts';

/**
 * Events read with one query, as in ten batches of a webhook. Merged parts are not in the order of arrival: two hundred
 * events may lie in two hundred granules, all of which are read for them, and the next two hundred in the same ones.
 */
const MOST_EVENTS = 2_000;
/** And as large: a batch may be one event of 20 MB, and all that is read is in memory at once. */
export const MOST_BYTES = 10_000_000;

export interface ReadAhead {
  /**
   * The events of a batch, and with them those of the batches in `next` that follow it without a gap, for when they are
   * asked for.
   */
  read(batch: OpenBatch, next: readonly OpenBatch[], signal: AbortSignal): Promise<PlacedEvents>;
  /** Events that have been read, for batches that are about to be asked for. */
  keep(batches: readonly OpenBatch[], read: PlacedEvents): void;
  /** What has been read and not asked for is read anew. */
  forget(): void;
}

export function createReadAhead(warehouse: Pick<Warehouse, 'rows'>, course: Course): ReadAhead {
  const ahead = new Map<string, Promise<PlacedEvents>>();
  return {
    read: (batch, next, signal) => {
      const known = ahead.get(batch.id);
      ahead.delete(batch.id);
      if (known) return known;
      const group = withoutGap(
        batch,
        next.filter(({ id }) => !ahead.has(id)),
      );
      const last = group.at(-1) ?? batch;
      const reading = readEvents(warehouse, course, { after: batch.after, until: last.until }, signal);
      for (const each of group.slice(1)) {
        const own = reading.then((read) => partOf(read, each));
        ahead.set(each.id, own);
        // Told to whoever asks; who asks later reads anew.
        own.catch(() => void (ahead.get(each.id) === own && ahead.delete(each.id)));
      }
      return reading.then((read) => partOf(read, batch));
    },
    keep: (batches, read) => {
      for (const batch of batches) ahead.set(batch.id, Promise.resolve(partOf(read, batch)));
    },
    forget: () => ahead.clear(),
  };
}

function withoutGap(batch: OpenBatch, next: readonly OpenBatch[]): OpenBatch[] {
  const group = [batch];
  let events = batch.events;
  let bytes = batch.bytes ?? MOST_BYTES;
  for (const each of next) {
    const last = group.at(-1) ?? batch;
    if (compare(last.until, each.after) !== 0) break;
    events += each.events;
    // What was planned before a restart is of unknown size, and goes alone.
    bytes += each.bytes ?? MOST_BYTES;
    if (events > MOST_EVENTS || bytes > MOST_BYTES) break;
    group.push(each);
  }
  return group;
}

function partOf({ events, positions }: PlacedEvents, { after, until }: OpenBatch): PlacedEvents {
  const endOf = (bound: Position) => positions.findLastIndex((at) => compare(at, bound) <= 0) + 1;
  const [start, end] = [endOf(after), endOf(until)];
  return { events: events.slice(start, end), positions: positions.slice(start, end) };
}

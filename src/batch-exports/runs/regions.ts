import type { Region } from '../../database/tables.ts';

/**
 * Which rows a run delivers: rectangles of arrival time × event time, and what is subtracted from them
 * (docs/state-machines.md, "What a run delivers"). Pure. Milliseconds, half open, null = unbounded.
 */
export interface Plan {
  readonly region: Region;
  readonly excludes: readonly Region[];
}

/** What the run asks for, before others are subtracted. */
export type Ask =
  | { readonly by: 'arrival'; readonly start: number; readonly end: number }
  | {
      readonly by: 'event';
      readonly start: number | null;
      readonly end: number;
      readonly arrivalBefore: number;
    };

export function askedRegion(ask: Ask): Region {
  return ask.by === 'arrival'
    ? { arrivalFrom: ask.start, arrivalTo: ask.end, eventFrom: null, eventTo: null }
    : { arrivalFrom: null, arrivalTo: ask.arrivalBefore, eventFrom: ask.start, eventTo: ask.end };
}

/**
 * The region minus what `others` already deliver or are going to. `others` are the plans of the export's other
 * outputs that hold their rows; the runs this one repeats are not among them.
 */
export function planRegions(region: Region, others: readonly Plan[]): Plan {
  const held = others.flatMap((other) => delivered(other)).flatMap((part) => intersect(part, region) ?? []);
  return { region, excludes: coalesce(held) };
}

/** The rows a plan delivers, as disjoint rectangles. */
export function delivered(plan: Plan): Region[] {
  return plan.excludes.reduce<Region[]>(
    (parts, exclude) => parts.flatMap((part) => subtract(part, exclude)),
    [plan.region],
  );
}

/** Whether the plan delivers a row that arrived and happened at these instants. */
export function covers(plan: Plan, arrival: number, event: number): boolean {
  return (
    contains(plan.region, arrival, event) &&
    !plan.excludes.some((exclude) => contains(exclude, arrival, event))
  );
}

/**
 * The same rows in fewer rectangles: neighbours that share a side become one. A year of hourly live runs
 * becomes one rectangle. Overlapping rectangles with equal extent on one axis are merged, too.
 */
export function coalesce(regions: readonly Region[]): Region[] {
  let current = [...regions];
  for (;;) {
    const byArrival = mergeAlong(current, 'arrivalFrom', 'arrivalTo', 'eventFrom', 'eventTo');
    const byEvent = mergeAlong(byArrival, 'eventFrom', 'eventTo', 'arrivalFrom', 'arrivalTo');
    if (byEvent.length === current.length) return byEvent;
    current = byEvent;
  }
}

type Side = keyof Region;

const low = (value: number | null): number => value ?? Number.NEGATIVE_INFINITY;
const high = (value: number | null): number => value ?? Number.POSITIVE_INFINITY;

/** Merges rectangles equal on the other axis that touch or overlap on this one. */
function mergeAlong(
  regions: readonly Region[],
  from: Side,
  to: Side,
  otherFrom: Side,
  otherTo: Side,
): Region[] {
  const groups = Map.groupBy(regions, (region) => `${region[otherFrom]}:${region[otherTo]}`);
  return [...groups.values()].flatMap((group) => {
    const sorted = group.toSorted((a, b) => compare(low(a[from]), low(b[from])));
    const merged: Region[] = [];
    for (const region of sorted) {
      const last = merged.at(-1);
      if (last && low(region[from]) <= high(last[to])) {
        const end = high(region[to]) > high(last[to]) ? region[to] : last[to];
        merged[merged.length - 1] = { ...last, [to]: end };
      } else {
        merged.push(region);
      }
    }
    return merged;
  });
}

/** Not `a - b`: the difference of two infinities is no number. */
const compare = (a: number, b: number): number => (a < b ? -1 : a > b ? 1 : 0);

function contains(region: Region, arrival: number, event: number): boolean {
  return (
    arrival >= low(region.arrivalFrom) &&
    arrival < high(region.arrivalTo) &&
    event >= low(region.eventFrom) &&
    event < high(region.eventTo)
  );
}

function intersect(a: Region, b: Region): Region | null {
  const part: Region = {
    arrivalFrom: later(a.arrivalFrom, b.arrivalFrom),
    arrivalTo: earlier(a.arrivalTo, b.arrivalTo),
    eventFrom: later(a.eventFrom, b.eventFrom),
    eventTo: earlier(a.eventTo, b.eventTo),
  };
  const empty = low(part.arrivalFrom) >= high(part.arrivalTo) || low(part.eventFrom) >= high(part.eventTo);
  return empty ? null : part;
}

/** Of two lower bounds, the one that bounds more. */
const later = (a: number | null, b: number | null): number | null => (low(a) > low(b) ? a : b);
/** Of two upper bounds, the one that bounds more. */
const earlier = (a: number | null, b: number | null): number | null => (high(a) < high(b) ? a : b);

/** `a` minus `b`: up to four rectangles around the hole. */
function subtract(a: Region, b: Region): Region[] {
  const hole = intersect(a, b);
  if (!hole) return [a];
  const parts: Region[] = [];
  if (low(a.arrivalFrom) < low(hole.arrivalFrom)) parts.push({ ...a, arrivalTo: hole.arrivalFrom });
  if (high(a.arrivalTo) > high(hole.arrivalTo)) parts.push({ ...a, arrivalFrom: hole.arrivalTo });
  const middle = { ...a, arrivalFrom: hole.arrivalFrom, arrivalTo: hole.arrivalTo };
  if (low(a.eventFrom) < low(hole.eventFrom)) parts.push({ ...middle, eventTo: hole.eventFrom });
  if (high(a.eventTo) > high(hole.eventTo)) parts.push({ ...middle, eventFrom: hole.eventTo });
  return parts;
}

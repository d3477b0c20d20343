/**
 * A place in a project's events, in the order a delivery goes through them. `first` and `second` are microseconds since
 * the epoch: arrival, then event time (live); event time, then arrival (historical export). The id settles ties.
 */
export interface Position {
  readonly first: number;
  readonly second: number;
  readonly uuid: string;
}

const NIL = '00000000-0000-0000-0000-000000000000';

/** Before every event of that microsecond. */
export const startOf = (micros: number): Position => ({ first: micros, second: -1, uuid: NIL });

/** Negative when `a` comes first. Ids are compared as text, as the warehouse is asked to. */
export function compare(a: Position, b: Position): number {
  if (a.first !== b.first) return a.first - b.first;
  if (a.second !== b.second) return a.second - b.second;
  return a.uuid < b.uuid ? -1 : a.uuid > b.uuid ? 1 : 0;
}

/** Events after `after` up to and including `until`. */
export interface Span {
  readonly after: Position;
  readonly until: Position;
}

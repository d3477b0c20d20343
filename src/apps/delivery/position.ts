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
/** Below every time, which is negative before 1970. Doubles, bigint and Int64 all have it exactly. */
const BEFORE_ALL = Number.MIN_SAFE_INTEGER;

/** Before every event of that microsecond. */
export const startOf = (micros: number): Position => ({ first: micros, second: BEFORE_ALL, uuid: NIL });

/** A cursor as a delivery's row has it. */
export interface CursorColumns {
  readonly cursor_first: number;
  readonly cursor_second: number;
  readonly cursor_uuid: string;
}

export const cursorColumns = ({ first, second, uuid }: Position): CursorColumns => ({
  cursor_first: first,
  cursor_second: second,
  cursor_uuid: uuid,
});

export function cursorOf({ cursor_first, cursor_second, cursor_uuid }: CursorColumns): Position {
  // What earlier versions stored for `startOf`: it would pass over events from before 1970.
  if (cursor_second === -1 && cursor_uuid === NIL) return startOf(cursor_first);
  return { first: cursor_first, second: cursor_second, uuid: cursor_uuid };
}

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

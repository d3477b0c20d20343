import { ARRIVAL } from '../../export/models/events.ts';
import { and, type Fragment } from '../../export/models/fragment.ts';
import type { Position } from './position.ts';

/** Which events a delivery goes through, and in which order. */
export interface Course {
  readonly teamId: number;
  /** What comes first in the order: arrival time (live) or event time (historical export). */
  readonly by: 'arrival' | 'event time';
  /** Milliseconds since the epoch: what arrives later is none of its business; null = open. */
  readonly arrivalBefore: number | null;
}

const MICROS = {
  arrival: `toUnixTimestamp64Micro(toDateTime64(${ARRIVAL}, 6, 'UTC'))`,
  'event time': 'toUnixTimestamp64Micro(timestamp)',
} as const;
const COLUMN = { arrival: ARRIVAL, 'event time': 'timestamp' } as const;

/** The position of a row, as three expressions. */
export function positionSql({ by }: Course): readonly [first: string, second: string, uuid: string] {
  const other = by === 'arrival' ? 'event time' : 'arrival';
  return [MICROS[by], MICROS[other], 'toString(uuid)'];
}

/** Rows of the course after `after` whose first coordinate is below `beforeFirst`. */
export function rowsBetween(course: Course, after: Position, beforeFirst: number): Fragment {
  return and([
    ...common(course, after, beforeFirst),
    {
      sql: `(${positionSql(course).join(', ')}) > ({after_first:Int64}, {after_second:Int64}, {after_uuid:String})`,
      params: { after_first: after.first, after_second: after.second, after_uuid: after.uuid },
    },
  ]);
}

/** Rows of the course after `after` up to and including `until`. */
export function rowsOf(course: Course, after: Position, until: Position): Fragment {
  return and([
    rowsBetween(course, after, until.first + 1),
    {
      sql: `(${positionSql(course).join(', ')}) <= ({until_first:Int64}, {until_second:Int64}, {until_uuid:String})`,
      params: { until_first: until.first, until_second: until.second, until_uuid: until.uuid },
    },
  ]);
}

/** What the order implies for single columns, said so that partitions and indexes understand it. */
function common(course: Course, after: Position, beforeFirst: number): Fragment[] {
  const bounds = { from_micros: after.first, to_micros: beforeFirst };
  const from = "fromUnixTimestamp64Micro({from_micros:Int64}, 'UTC')";
  const to = "fromUnixTimestamp64Micro({to_micros:Int64}, 'UTC')";
  const column = COLUMN[course.by];
  const fragments: Fragment[] = [
    { sql: 'team_id = {team_id:Int64}', params: { team_id: course.teamId } },
    { sql: `${column} >= ${from} AND ${column} < ${to}`, params: bounds },
  ];
  if (course.by === 'arrival') {
    // Decides no row: the index on COALESCE(…) is not used (src/export/models/events.ts), this one is.
    fragments.push({
      sql: `inserted_at IS NULL OR (inserted_at >= ${from} AND inserted_at < ${to})`,
      params: {},
    });
  }
  if (course.arrivalBefore !== null) {
    fragments.push({
      sql: `${ARRIVAL} < fromUnixTimestamp64Milli({arrival_before:Int64}, 'UTC')`,
      params: { arrival_before: course.arrivalBefore },
    });
  }
  return fragments;
}

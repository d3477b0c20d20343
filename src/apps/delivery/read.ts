import { jsonText } from '../../export/formats/json-text.ts';
import type { Warehouse } from '../../warehouse/warehouse.ts';
import type { AppEvent } from '../catalogue/app.ts';
import { type Course, positionSql, rowsBetween, rowsOf } from './course.ts';
import type { Position, Span } from './position.ts';

type Reader = Pick<Warehouse, 'rows'>;

/** A row as the plan sees it: where it is and how large it is about to be, bytes. */
export interface PlannedRow extends Position {
  readonly bytes: number;
}

/** What JSON adds to the texts of an event: keys, times, ids. */
const FIXED_BYTES = 300;

/** The first `limit` rows after `after` whose first coordinate is below `beforeFirst`, in order; repeated rows once. */
export async function readPositions(
  warehouse: Reader,
  course: Course,
  after: Position,
  beforeFirst: number,
  limit: number,
  signal: AbortSignal,
): Promise<PlannedRow[]> {
  const { sql, params } = rowsBetween(course, after, beforeFirst);
  const [first, second, uuid] = positionSql(course);
  const rows = await warehouse.rows<Record<'p1' | 'p2' | 'p3' | 'bytes', string | number>>({
    sql: `SELECT ${first} AS p1, ${second} AS p2, ${uuid} AS p3,
            length(properties) + length(person_properties) + length(elements_chain) + length(event) + length(distinct_id)
              + ${FIXED_BYTES} AS bytes
          FROM events WHERE ${sql} ORDER BY p1, p2, p3 LIMIT 1 BY p1, p2, p3 LIMIT {rows:UInt64}`,
    params: { ...params, rows: limit },
    signal,
  });
  return rows.map(({ p1, p2, p3, bytes }) => ({
    first: Number(p1),
    second: Number(p2),
    uuid: String(p3),
    bytes: Number(bytes),
  }));
}

/** The smallest first coordinate from `from` on, below `before`; null = there is none. */
export async function nextFirst(
  warehouse: Reader,
  course: Course,
  after: Position,
  before: number,
  signal: AbortSignal,
): Promise<number | null> {
  const { sql, params } = rowsBetween(course, after, before);
  const [first] = positionSql(course);
  const [row] = await warehouse.rows<{ next: string | null }>({
    sql: `SELECT minOrNull(${first}) AS next FROM events WHERE ${sql}`,
    params,
    signal,
  });
  return row?.next == null ? null : Number(row.next);
}

/** How many events the course has after `after` and below `beforeFirst`; repeated ones are counted once. */
export async function countEvents(
  warehouse: Reader,
  course: Course,
  after: Position,
  beforeFirst: number,
  signal: AbortSignal,
): Promise<number> {
  const { sql, params } = rowsBetween(course, after, beforeFirst);
  const [row] = await warehouse.rows<{ count: string }>({
    sql: `SELECT count() AS count FROM (SELECT 1 FROM events WHERE ${sql} GROUP BY ${positionSql(course).join(', ')})`,
    params,
    settings: { max_bytes_before_external_group_by: 300_000_000 },
    signal,
  });
  return Number(row?.count ?? 0);
}

const RAW = `uuid, event, distinct_id, timestamp, created_at, person_id, properties, person_properties,
  elements_chain`;

/** Events of a batch, and where each of them is. */
export interface PlacedEvents {
  readonly events: readonly AppEvent[];
  readonly positions: readonly Position[];
}

/** The events of a span in their order. */
export async function readEvents(
  warehouse: Reader,
  course: Course,
  span: Span,
  signal: AbortSignal,
): Promise<PlacedEvents> {
  const { sql, params } = rowsOf(course, span.after, span.until);
  const [first, second, uuid] = positionSql(course);
  const rows = await warehouse.rows<Record<string, string>>({
    sql: `SELECT toString(uuid) AS uuid_, toValidUTF8(event) AS event_, toValidUTF8(distinct_id) AS distinct_id_,
            ${iso('timestamp')} AS timestamp_, ${iso('created_at')} AS created_at_, toString(person_id) AS person_id_,
            ${jsonText('properties')} AS properties_, ${jsonText('person_properties')} AS person_properties_,
            toValidUTF8(elements_chain) AS elements_chain_, p1, p2, p3
          FROM (SELECT ${RAW}, ${first} AS p1, ${second} AS p2, ${uuid} AS p3 FROM events WHERE ${sql}
                ORDER BY p1, p2, p3 LIMIT 1 BY p1, p2, p3)
          ORDER BY p1, p2, p3`,
    params,
    signal,
  });
  const positions = rows.map(({ p1, p2, p3 }) => ({ first: Number(p1), second: Number(p2), uuid: p3 ?? '' }));
  const events = rows.map((row) => ({
    uuid: row.uuid_ ?? '',
    event: row.event_ ?? '',
    distinct_id: row.distinct_id_ ?? '',
    timestamp: row.timestamp_ ?? '',
    created_at: row.created_at_ ?? '',
    properties: row.properties_ ?? 'null',
    person_id: row.person_id_ ?? '',
    person_properties: row.person_properties_ ?? 'null',
    elements_chain: row.elements_chain_ ?? '',
  }));
  return { events, positions };
}

const iso = (column: string) =>
  `concat(replaceOne(toString(toDateTime64(${column}, 6, 'UTC')), ' ', 'T'), 'Z')`;

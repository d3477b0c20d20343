import { personId } from '../person-id.ts';
import { type EventRow, PERSON_MODES, type PersonMode } from '../rows.ts';
import { parseMicros } from '../timestamps.ts';
import { derivedUuid, parseUuid } from '../uuid.ts';

/** A row of a file, by column. JSON columns hold JSON text or null. */
export type SourceRow = Readonly<Record<string, unknown>>;

/** Why a row cannot be imported, for a person. */
export class BadRow extends Error {
  override readonly name = 'BadRow';
}

/** One row of a file: its values, or why it has none. */
export interface FileRow {
  /** Line (JSON Lines) or row (Parquet), from 1. */
  readonly number: number;
  readonly row: SourceRow | BadRow;
  /** Bytes of the file read so far. */
  readonly bytesRead: number;
}

/** What ClickHouse's DateTime64(6) holds: 1900 to 2299; ours ends where doubles stop being exact. */
const EARLIEST = Date.UTC(1900, 0, 1) * 1000;
const LATEST = Date.UTC(2255, 0, 1) * 1000;

/**
 * The event in a row of an export of Sluice's or PostHog's (engine.md §1.4). `uuid`, `created_at` and
 * the person columns may be missing; an id is then derived from the row, so that importing it twice
 * makes one event. Throws `BadRow`.
 */
export function toEventRow(teamId: number, row: SourceRow): EventRow {
  const event = requiredText(row, 'event');
  const distinctId = requiredText(row, 'distinct_id');
  const timestampMicros = micros(row, 'timestamp');
  const properties = json(row, 'properties');
  if (timestampMicros === null) throw new BadRow('it has no timestamp');
  const seed = JSON.stringify([teamId, event, distinctId, timestampMicros, properties]);
  return {
    uuid: uuid(row, 'uuid') ?? derivedUuid(seed),
    event,
    properties,
    timestampMicros,
    distinctId,
    elementsChain: text(row, 'elements_chain'),
    createdAtMicros: micros(row, 'created_at') ?? timestampMicros,
    personId: uuid(row, 'person_id') ?? personId(teamId, distinctId),
    personProperties: json(row, 'person_properties'),
    personMode: mode(row.person_mode),
  };
}

function requiredText(row: SourceRow, column: string): string {
  const value = text(row, column);
  if (value !== '') return value;
  throw new BadRow(`it has no ${column}`);
}

function text(row: SourceRow, column: string): string {
  const value = row[column];
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  throw new BadRow(`${column} is no text`);
}

function micros(row: SourceRow, column: string): number | null {
  const value = row[column];
  if (value === undefined || value === null || value === '') return null;
  const parsed = parseMicros(value);
  if (parsed !== null && parsed >= EARLIEST && parsed < LATEST) return parsed;
  throw new BadRow(`${column} is not a time between 1900 and 2255`);
}

function uuid(row: SourceRow, column: string): Uint8Array | null {
  const value = row[column];
  if (value === undefined || value === null || value === '') return null;
  const bytes = typeof value === 'string' ? parseUuid(value) : null;
  if (bytes) return bytes;
  throw new BadRow(`${column} is not a UUID`);
}

/** The JSON text as it stands; absent = `{}`, null = '' (what an export writes as null). */
function json(row: SourceRow, column: string): string {
  const value = row[column];
  if (value === undefined) return '{}';
  if (value === null || value === '') return '';
  if (typeof value === 'string' && isJsonObject(value)) return value;
  throw new BadRow(`${column} is not a JSON object`);
}

function isJsonObject(value: string): boolean {
  try {
    const parsed: unknown = JSON.parse(value);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
  } catch {
    return false;
  }
}

function mode(value: unknown): PersonMode {
  return typeof value === 'string' && Object.hasOwn(PERSON_MODES, value) ? (value as PersonMode) : 'full';
}

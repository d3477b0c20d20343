import { SluiceError } from '../errors/error.ts';
import { PLACEHOLDERS } from '../export/models/hogql/check.ts';
import { checkModifiers, type Modifiers } from '../export/models/hogql/modifiers.ts';
import { isTimeZone } from '../http/dates.ts';
import type { Gates } from './ports.ts';
import type { ReadQuery } from './query.ts';
import { type IntervalName, isCalendar } from './schedule/intervals.ts';
import type { ModelName, WriteBody } from './schema.ts';

/** The rules of contract.md §4.3 that look at more than one field. Pure; each throws its first problem. */
export interface StoredExport {
  readonly model: string;
  readonly interval: string;
  readonly timezone: string;
  readonly hogql_query: string | null;
  readonly primary_key: readonly string[] | null;
  readonly version_key: readonly string[] | null;
  readonly incremental_mode: string;
  readonly filters: readonly unknown[] | null;
}

const invalid = (attr: string | null, detail: string): SluiceError =>
  new SluiceError('invalid_input', { attr, detail });

/** Field rules that a schema cannot say, in declared order. */
export function checkFields(body: WriteBody, stored: StoredExport | null, gates: Gates): void {
  if (body.model !== undefined) checkModel(body.model, stored, gates);
  if (body.destination?.type === 'Workflows' && !gates.workflows) {
    throw new SluiceError('permission_denied', { detail: 'Exports to workflows are not enabled here.' });
  }
  if (body.interval !== undefined && !gates.highFrequency && isSubHour(body.interval)) {
    throw new SluiceError('permission_denied', { detail: 'Intervals below an hour are not enabled here.' });
  }
  if (body.timezone !== undefined && body.timezone !== null) checkTimezone(body.timezone);
  if (body.filters !== undefined) checkFilters(body.filters);
}

function checkModel(model: ModelName, stored: StoredExport | null, gates: Gates): void {
  if (model === 'hogql' && !gates.hogql) {
    throw new SluiceError('permission_denied', { detail: 'Exports of queries are not enabled here.' });
  }
  if (stored && stored.model !== model) {
    throw invalid('model', 'The model of an export cannot be changed; create another export.');
  }
}

const isSubHour = (interval: string): boolean => interval.startsWith('every ');

function checkTimezone(name: string): void {
  if (isTimeZone(name)) return;
  throw new SluiceError('invalid_choice', {
    attr: 'timezone',
    detail: `"${name.slice(0, 100)}" is not a valid choice.`,
  });
}

const FILTER_TYPES = ['event', 'person', 'hogql'];

function checkFilters(filters: unknown): void {
  if (filters === null) return;
  if (!Array.isArray(filters)) throw invalid('filters', 'Filters must be a list.');
  for (const filter of filters) {
    if (filter === null || typeof filter !== 'object' || Array.isArray(filter)) {
      throw invalid('filters', 'Every filter must be an object.');
    }
    if (!FILTER_TYPES.includes(filter.type)) {
      throw invalid('filters', `The type of a filter must be one of ${FILTER_TYPES.join(', ')}.`);
    }
    // What a query may hold in braces, no filter may be called.
    const reserved = PLACEHOLDERS.find((name) => filter.key === name || Object.hasOwn(filter, name));
    if (reserved) throw invalid('filters', `"${reserved}" is reserved and cannot be filtered by.`);
  }
}

/**
 * Offsets, then model and destination, then what belongs to a model only (contract.md §4.3). `query` is what `readExportQuery`
 * made of the same body.
 */
export function checkWhole(
  body: WriteBody,
  stored: StoredExport | null,
  destinationType: string,
  query: ReadQuery | null,
): void {
  const interval = (body.interval ?? stored?.interval) as IntervalName;
  const model = body.model ?? stored?.model ?? 'events';
  checkOffsets(body, interval);
  // One of an earlier version may be none; only intervals by the calendar look at it.
  if (isCalendar(interval))
    checkTimezone((body.timezone === undefined ? stored?.timezone : body.timezone) ?? 'UTC');
  if (destinationType === 'HTTP' && model !== 'events') {
    throw invalid(null, 'HTTP destinations take events only.');
  }
  if (model !== 'events' && body.filters !== undefined && body.filters !== null) {
    throw invalid('filters', 'Filters work on events only.');
  }
  checkQuery(body, stored, model, query);
}

function checkOffsets(body: WriteBody, interval: IntervalName): void {
  if (typeof body.offset_day === 'number' && interval !== 'week') {
    throw invalid('offset_day', 'A day of the week goes with the interval "week" only.');
  }
  if (typeof body.offset_hour === 'number' && !isCalendar(interval)) {
    throw invalid('offset_hour', 'An hour of the day goes with the intervals "day" and "week" only.');
  }
}

const OF_QUERIES = ['hogql_query', 'hogql_modifiers', 'primary_key', 'version_key'] as const;

function checkQuery(
  body: WriteBody,
  stored: StoredExport | null,
  model: string,
  query: ReadQuery | null,
): void {
  if (model !== 'hogql') {
    const key = OF_QUERIES.find((each) => (body[each] ?? null) !== null);
    if (key) throw invalid(key, 'Goes with the model "hogql" only.');
    return;
  }
  const text = body.hogql_query ?? stored?.hogql_query;
  if (!text?.trim()) throw invalid('hogql_query', 'The model "hogql" needs a query.');
  if (query?.problem) throw query.problem;
  if (body.hogql_modifiers) checkModifiers(body.hogql_modifiers as Modifiers);
  for (const name of ['primary_key', 'version_key'] as const) {
    const key = body[name] === undefined ? stored?.[name] : body[name];
    const outputs = query?.outputs;
    const missing = outputs && key?.find((column) => !outputs.has(column));
    if (missing) throw invalid(name, `The query has no column "${missing.slice(0, 100)}".`);
  }
  const mode = body.incremental_mode ?? stored?.incremental_mode;
  const key = body.primary_key === undefined ? stored?.primary_key : body.primary_key;
  if (mode === 'MERGE' && !key) throw invalid('primary_key', 'Merging needs a primary key.');
}

/**
 * The stored offset, in seconds, after a write. `stored` is null on create and PUT: what is not sent is null then
 * (contract.md §4.3, "Offset semantics").
 */
export function offsetAfter(
  body: WriteBody,
  interval: IntervalName,
  stored: { readonly interval_offset: number | null } | null,
): number | null {
  if (!isCalendar(interval)) return null;
  const old = stored?.interval_offset ?? null;
  if (body.offset_day === undefined && body.offset_hour === undefined) return old;
  const day = body.offset_day === undefined ? Math.floor((old ?? 0) / 86_400) : (body.offset_day ?? 0);
  const hour =
    body.offset_hour === undefined ? Math.floor(((old ?? 0) % 86_400) / 3600) : (body.offset_hour ?? 0);
  if (body.offset_day == null && body.offset_hour == null && old === null) return null;
  return day * 86_400 + hour * 3600;
}

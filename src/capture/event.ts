import { SluiceError } from '../errors/error.ts';
import { elementsChain } from './elements.ts';
import { memberOf, objectMembers, type Span } from './json-spans.ts';
import { isObject, type JsonObject, type SentEvent, type SentValue } from './payload.ts';
import type { PersonIds } from './person-id.ts';
import { mergeObjects, spliceProperties } from './properties.ts';
import type { EventRow } from './rows.ts';
import { eventMicros, parseMicros } from './timestamps.ts';
import { derivedUuid, parseUuid } from './uuid.ts';

export interface Arrival {
  readonly teamId: number;
  readonly nowMicros: number;
  /** When the request was sent, by the client's clock; null = unknown. */
  readonly sentAtMicros: number | null;
  /** Whether the timestamps are to be taken as they are: events of another time, not of a wrong clock. */
  readonly historicalMigration: boolean;
  /** The client's address; null = not to be kept. */
  readonly ip: string | null;
  /** A new UUIDv7, 16 bytes, for events that come without an id. */
  newUuid(): Uint8Array;
  readonly personId: PersonIds;
}

/** Characters; PostHog cuts both at 200. */
const MAX_NAME = 200;

/**
 * What will be stored of one sent event. Throws a validation error that names the field when the event
 * has no name or no distinct id, or its properties are no object.
 */
export function captureEvent(text: string, sent: SentEvent, arrival: Arrival): EventRow {
  const { value } = sent;
  const own = readProperties(sent);
  const properties = sent.defaults ? { ...valuesOf(sent.defaults), ...own } : own;
  const event = eventName(sent);
  const id = distinctId(text, sent, properties);
  const ignoresSentAt = arrival.historicalMigration || properties.$ignore_sent_at === true;
  const ownSentAt = value.sent_at === undefined ? null : parseMicros(value.sent_at);
  return {
    uuid: eventId(text, sent, event, id, arrival),
    event,
    distinctId: id,
    timestampMicros: eventMicros(
      {
        timestamp: value.timestamp,
        offset: value.offset,
        sentAtMicros: ignoresSentAt ? null : (arrival.sentAtMicros ?? ownSentAt),
      },
      arrival.nowMicros,
    ),
    properties: propertiesText(text, sent, own, arrival.ip),
    elementsChain: chainOf(properties),
    createdAtMicros: arrival.nowMicros,
    personId: arrival.personId(arrival.teamId, id),
    personProperties: '{}',
    personMode: properties.$process_person_profile === false ? 'propertyless' : 'full',
  };
}

/** What programs write for an id that they do not have. */
const NO_IDS: ReadonlySet<string> = new Set(['', 'undefined', 'null', 'none', 'nan', '[object object]']);

/**
 * What is no UUID still names the event: sent again, it must become the same one. With all of its content: whoever
 * counts from 1 on every page names different events alike.
 */
function eventId(
  text: string,
  { value: { uuid, timestamp, properties }, members }: SentEvent,
  event: string,
  distinctId: string,
  { teamId, newUuid }: Arrival,
): Uint8Array {
  const known = typeof uuid === 'string' || typeof uuid === 'number' ? String(uuid) : '';
  if (NO_IDS.has(known.trim().toLowerCase())) return newUuid();
  const uuidSent = parseUuid(known);
  if (uuidSent !== null) return uuidSent;
  const names = [teamId, event, distinctId, known, timestamp];
  try {
    return derivedUuid(JSON.stringify([...names, properties]));
  } catch (error) {
    // Nested more deeply than can be written; names what no properties are beside, too.
    if (!(error instanceof RangeError)) throw error;
    const span = memberOf(members, 'properties');
    return derivedUuid(JSON.stringify([...names.slice(0, 4), span && text.slice(span.start, span.end)]));
  }
}

const valuesOf = (sent: Readonly<Record<string, SentValue>>): JsonObject =>
  Object.fromEntries(Object.entries(sent).map(([key, { value }]) => [key, value]));

function readProperties(sent: SentEvent): JsonObject {
  const { properties } = sent.value;
  if (properties === undefined || properties === null) return {};
  if (isObject(properties)) return properties;
  throw new SluiceError('incorrect_type', { attr: attr(sent, 'properties'), detail: 'Expected an object.' });
}

function eventName(sent: SentEvent): string {
  const { event } = sent.value;
  if (event === undefined || event === null) throw new SluiceError('required', { attr: attr(sent, 'event') });
  if (typeof event !== 'string') throw new SluiceError('incorrect_type', { attr: attr(sent, 'event') });
  if (event === '') throw new SluiceError('blank', { attr: attr(sent, 'event') });
  return cut(event);
}

/**
 * `distinct_id` at the top, then in the properties; what is no text is kept as its JSON text. White space is part of
 * it, NUL becomes U+FFFD.
 */
function distinctId(text: string, sent: SentEvent, properties: JsonObject): string {
  const { value, members } = sent;
  for (const key of ['distinct_id', '$distinct_id']) {
    const id = idText(text, value[key], memberOf(members, key));
    if (id) return id;
  }
  const span = memberOf(members, 'properties');
  const inner =
    span && isObject(value.properties) && 'distinct_id' in properties
      ? memberOf(objectMembers(text, span.start), 'distinct_id')
      : undefined;
  const id = idText(text, properties.distinct_id, inner);
  if (id) return id;
  const absent = value.distinct_id === undefined || value.distinct_id === null;
  throw new SluiceError(absent ? 'required' : 'blank', { attr: attr(sent, 'distinct_id') });
}

function idText(text: string, value: unknown, span: Span | undefined): string {
  if (value === undefined || value === null) return '';
  // The text as sent: a 20-digit number would lose its last digits on the way through a double.
  const id = typeof value === 'string' || !span ? String(value) : text.slice(span.start, span.end);
  return cut(id.replaceAll('\0', '\uFFFD'));
}

const NOTHING: ReadonlySet<string> = new Set();

function propertiesText(
  text: string,
  { members, defaults = {} }: SentEvent,
  properties: JsonObject,
  ip: string | null,
): string {
  const sent = memberOf(members, 'properties');
  const span = isEmptyValue(text, sent) ? undefined : sent;
  const without = new Set<string>();
  const add = new Map<string, string>();
  for (const key of ['$elements', '$elements_chain']) if (key in properties) without.add(key);
  for (const key of ['$set', '$set_once'])
    addTopLevel(text, key, memberOf(members, key), span, properties, without, add);
  for (const [key, { json }] of Object.entries(defaults)) if (!(key in properties)) add.set(key, json);
  if (ip !== null && !('$ip' in properties)) add.set('$ip', JSON.stringify(ip));
  return spliceProperties({ text, span, without: without.size === 0 ? NOTHING : without, add });
}

/** posthog-js puts `$set` beside `properties`; it is stored inside, over what is there already. */
function addTopLevel(
  text: string,
  key: string,
  own: Span | undefined,
  span: Span | undefined,
  properties: JsonObject,
  without: Set<string>,
  add: Map<string, string>,
): void {
  if (!own || isEmptyValue(text, own)) return;
  const inner = span && key in properties ? memberOf(objectMembers(text, span.start), key) : undefined;
  if (inner) without.add(key);
  const mergeable = inner && text[inner.start] === '{' && text[own.start] === '{';
  add.set(key, mergeable ? mergeObjects(text, inner, own) : text.slice(own.start, own.end));
}

function isEmptyValue(text: string, span: Span | undefined): boolean {
  return span === undefined || text.startsWith('null', span.start);
}

function chainOf(properties: JsonObject): string {
  if (typeof properties.$elements_chain === 'string') return properties.$elements_chain;
  return Array.isArray(properties.$elements) ? elementsChain(properties.$elements) : '';
}

/** Never between the two halves of a surrogate pair. */
function cut(text: string): string {
  if (text.length <= MAX_NAME) return text;
  const short = text.slice(0, MAX_NAME);
  return /[\uD800-\uDBFF]$/.test(short) ? short.slice(0, -1) : short;
}

function attr(sent: SentEvent, field: string): string {
  return sent.at ? `${sent.at}__${field}` : field;
}

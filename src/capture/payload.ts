import { SluiceError } from '../errors/error.ts';
import { itemMembers, type Member, memberOf, objectMembers, skipSpace } from './json-spans.ts';
import { mostStructures, refuseMoreStructures } from './structures.ts';
import { parseMicros } from './timestamps.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/** One event as sent: its parsed value, and where its members stand in the text. */
export interface SentEvent {
  readonly value: JsonObject;
  readonly members: readonly Member[];
  /** Where in the request, for errors: `batch__3`, or '' for a single event. */
  readonly at: string;
  /** Properties the event has when it does not carry them itself (what v1 sends beside them). */
  readonly defaults?: Readonly<Record<string, SentValue>>;
}

/** A value and its JSON, as sent where it was sent. */
export interface SentValue {
  readonly value: unknown;
  readonly json: string;
}

export interface Payload {
  readonly text: string;
  /**
   * Each made when it is asked for: a request without a good key, or with a bad event, costs no more than what was read
   * until then. Throws `incorrect_type` for what is no event.
   */
  events(): IteratorObject<SentEvent, undefined>;
  /** The project key; null when the body has none. */
  readonly token: string | null;
  readonly sentAtMicros: number | null;
  readonly historicalMigration: boolean;
}

/**
 * Reads the JSON of a capture request: `{api_key, batch: […]}`, an array of events, or one event. Throws `request_too_large` when
 * it holds more than `most` objects and lists, `parse_error` (not JSON) or a validation error (not events).
 */
export function readPayload(text: string, most = mostStructures(text)): Payload {
  refuseMoreStructures(text, most);
  const value = parse(text);
  const start = skipSpace(text, 0);
  if (Array.isArray(value)) {
    const list = { text, ...listed(text, value, () => start, '') };
    return { ...list, token: commonToken(value), sentAtMicros: null, historicalMigration: false };
  }
  if (!isObject(value))
    throw new SluiceError('incorrect_type', { detail: 'Expected an event or a batch of events.' });
  const envelope = {
    text,
    sentAtMicros: parseMicros(value.sent_at),
    historicalMigration: value.historical_migration === true,
  };
  const { batch } = value;
  if (batch === undefined) {
    const events = () => [{ value, members: objectMembers(text, start), at: '' }].values();
    return { ...envelope, events, token: tokenIn(value) };
  }
  if (!Array.isArray(batch)) throw new SluiceError('not_a_list', { attr: 'batch' });
  const list = listed(text, batch, () => memberOf(objectMembers(text, start), 'batch')?.start ?? 0, 'batch');
  return { ...envelope, ...list, token: tokenIn(value) ?? commonToken(batch) };
}

function parse(text: string): unknown {
  if (text === '') throw new SluiceError('parse_error', { detail: 'The request has no body.' });
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the body, which may hold anything.
    throw new SluiceError('parse_error', { detail: 'The body is not valid JSON.' });
  }
}

/** Throws `empty` for none. */
function listed(
  text: string,
  values: readonly unknown[],
  start: () => number,
  attr: string,
): Pick<Payload, 'events'> {
  if (values.length === 0) throw new SluiceError('empty', { attr: attr || null });
  return { events: () => listEvents(text, values, start, attr) };
}

function* listEvents(
  text: string,
  values: readonly unknown[],
  start: () => number,
  attr: string,
): Generator<SentEvent, undefined> {
  const items = itemMembers(text, start());
  for (const [index, value] of values.entries()) {
    const at = attr ? `${attr}__${index}` : String(index);
    const { value: members } = items.next();
    if (!isObject(value) || !members)
      throw new SluiceError('incorrect_type', { attr: at, detail: 'Expected an event.' });
    yield { value, members, at };
  }
}

/** Where clients put the project key: `api_key`, `token`, `$token`, `properties.token`. */
function tokenIn(value: JsonObject): string | null {
  const properties = isObject(value.properties) ? value.properties : {};
  for (const candidate of [value.api_key, value.token, value.$token, properties.token]) {
    if (typeof candidate === 'string' && candidate !== '') return candidate;
  }
  return null;
}

/** One request belongs to one project: events that name two are refused. */
function commonToken(events: readonly unknown[]): string | null {
  let token: string | null = null;
  for (const event of events) {
    const own = isObject(event) ? tokenIn(event) : null;
    if (own === null || own === token) continue;
    if (token !== null) {
      throw new SluiceError('invalid_input', {
        attr: 'api_key',
        detail: 'The events of one request must carry the same project key.',
      });
    }
    token = own;
  }
  return token;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

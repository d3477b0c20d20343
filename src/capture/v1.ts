import { SluiceError } from '../errors/error.ts';
import { type Member, memberOf, objectMembers } from './json-spans.ts';
import { isObject, type JsonObject, type Payload, type SentEvent, type SentValue } from './payload.ts';
import { parseMicros } from './timestamps.ts';
import { parseUuid } from './uuid.ts';

/** The headers of a v1 request that say what other protocols put into the body; '' = not sent. */
export interface V1Headers {
  readonly authorization: string;
  readonly sdkInfo: string;
  readonly requestTimestamp: string;
}

export function v1Headers(headers: Readonly<Record<string, unknown>>): V1Headers {
  return {
    authorization: text(headers.authorization),
    sdkInfo: text(headers['posthog-sdk-info']),
    requestTimestamp: text(headers['posthog-request-timestamp']),
  };
}

/**
 * The newer capture protocol, `/i/v1/analytics/events` (posthog-node with POSTHOG_CAPTURE_MODE=v1):
 * the key, the client's clock and the library travel in headers, and options and session ids beside
 * the properties. They become the properties they replace.
 */
export function fromV1(payload: Payload, headers: V1Headers): Payload {
  const library = /^([^/]+)\/(.+)$/.exec(headers.sdkInfo);
  const shared = library ? { $lib: written(library[1]), $lib_version: written(library[2]) } : {};
  const { text } = payload;
  return {
    ...payload,
    sentAtMicros: parseMicros(headers.requestTimestamp) ?? payload.sentAtMicros,
    events: () =>
      payload.events().map((event) => ({ ...event, defaults: { ...shared, ...beside(text, event) } })),
  };
}

const written = (value: unknown): SentValue => ({ value, json: JSON.stringify(value) });

const OPTIONS = {
  cookieless_mode: '$cookieless_mode',
  disable_skew_correction: '$ignore_sent_at',
  process_person_profile: '$process_person_profile',
  product_tour_id: '$product_tour_id',
} as const;

const SESSION = { session_id: '$session_id', window_id: '$window_id' } as const;

/** What is sent beside the properties, by the names of the properties it becomes. */
function beside(text: string, { value, members }: SentEvent): Record<string, SentValue> {
  const session = renamed(text, SESSION, value, members);
  const options = memberOf(members, 'options');
  if (!options || !isObject(value.options)) return session;
  return { ...renamed(text, OPTIONS, value.options, objectMembers(text, options.start)), ...session };
}

function renamed(
  text: string,
  names: Readonly<Record<string, string>>,
  values: JsonObject,
  members: readonly Member[],
): Record<string, SentValue> {
  const found: Record<string, SentValue> = {};
  for (const [sent, property] of Object.entries(names)) {
    const span = memberOf(members, sent);
    if (span) found[property] = { value: values[sent], json: text.slice(span.start, span.end) };
  }
  return found;
}

/** The project key of `Authorization: Bearer phc_…`. */
export function bearerKey(authorization: string): string | null {
  return /^Bearer\s+(\S+)$/i.exec(authorization)?.[1] ?? null;
}

/**
 * What became of each event, by the id that the client gave it. `details` says what is wrong with it, e.g. `blank:
 * distinct_id`.
 */
export type V1Results = Record<string, { readonly result: 'ok' | 'drop'; readonly details?: string }>;

/**
 * A bad event of this protocol costs itself alone: clients do not send a refused batch again. Each event must have an
 * id of its own, or nothing could be said about it; without one the whole batch is refused.
 */
export function v1Outcomes() {
  const results = new Map<string, V1Results[string]>();
  const ids = new Set<string>();
  const idOf = ({ value, at }: SentEvent): string => {
    const attr = `${at}__uuid`;
    if (value.uuid === undefined || value.uuid === null) throw new SluiceError('required', { attr });
    const bytes = typeof value.uuid === 'string' ? parseUuid(value.uuid) : null;
    if (!bytes) throw new SluiceError('invalid_input', { attr, detail: 'Not a UUID.' });
    const known = ids.size;
    if (ids.add(Buffer.from(bytes).toString('latin1')).size > known) return value.uuid as string;
    throw new SluiceError('unique', { attr, detail: 'Two events of the batch have this id.' });
  };
  return {
    /** What `read` makes of the event, or null when it cannot be kept. Throws a validation error for an id that is none. */
    keep<Row>(event: SentEvent, read: () => Row): Row | null {
      const id = idOf(event);
      try {
        const row = read();
        results.set(id, { result: 'ok' });
        return row;
      } catch (error) {
        if (!(error instanceof SluiceError)) throw error;
        results.set(id, { result: 'drop', details: `${error.code}: ${error.attr?.split('__').at(-1)}` });
        return null;
      }
    },
    all: (): V1Results => Object.fromEntries(results),
  };
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

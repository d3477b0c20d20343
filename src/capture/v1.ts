import { SluiceError } from '../errors/error.ts';
import { isObject, type JsonObject, type Payload, type SentEvent } from './payload.ts';
import { parseMicros } from './timestamps.ts';

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
  const shared = library ? { $lib: library[1], $lib_version: library[2] } : {};
  return {
    ...payload,
    sentAtMicros: parseMicros(headers.requestTimestamp) ?? payload.sentAtMicros,
    events: payload.events.map((event) => ({ ...event, defaults: { ...shared, ...beside(event.value) } })),
  };
}

const OPTIONS = {
  cookieless_mode: '$cookieless_mode',
  disable_skew_correction: '$ignore_sent_at',
  process_person_profile: '$process_person_profile',
  product_tour_id: '$product_tour_id',
} as const;

function beside(event: JsonObject): Record<string, unknown> {
  const options = isObject(event.options) ? event.options : {};
  const properties: Record<string, unknown> = {};
  for (const [option, property] of Object.entries(OPTIONS)) {
    if (options[option] !== undefined) properties[property] = options[option];
  }
  if (event.session_id !== undefined) properties.$session_id = event.session_id;
  if (event.window_id !== undefined) properties.$window_id = event.window_id;
  return properties;
}

/** The project key of `Authorization: Bearer phc_…`. */
export function bearerKey(authorization: string): string | null {
  return /^Bearer\s+(\S+)$/i.exec(authorization)?.[1] ?? null;
}

/** What became of each event; the client looks for its own ids. Throws `required` without one. */
export function v1Results(events: readonly SentEvent[]): Record<string, { result: 'ok' }> {
  return Object.fromEntries(
    events.map(({ value, at }) => {
      if (typeof value.uuid === 'string') return [value.uuid, { result: 'ok' }];
      throw new SluiceError('required', { attr: `${at}__uuid` });
    }),
  );
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

import { SluiceError } from '../errors/error.ts';
import { portionsOf } from '../work/portions.ts';
import { bodyText, decodeData, type SentBody } from './body.ts';
import { captureEvent } from './event.ts';
import { type Payload, readPayload, type SentEvent } from './payload.ts';
import type { PersonIds } from './person-id.ts';
import { type EncodedRows, type EventRow, encodeRows } from './rows.ts';
import { parseMicros } from './timestamps.ts';
import { bearerKey, fromV1, type V1Headers, v1Results } from './v1.ts';

/** What a client sent, as plain data: it may be read in another thread. */
export interface SentRequest {
  readonly content: SentBody | SentData;
  /** How the events are spelled: `engage` ones have no name, those of `v1` carry less in the body. */
  readonly protocol: 'events' | 'engage' | { readonly v1: V1Headers };
  /** Of the URL; '' = not given. */
  readonly query: { readonly key: string; readonly sentAt: string };
  /** The client's address, to be kept as the property `$ip`; null = not to be kept. */
  readonly ip: string | null;
  /** When it arrived, microseconds since the epoch. */
  readonly receivedMicros: number;
}

/** Events in the URL, as the oldest clients put them. */
export interface SentData {
  readonly data: string;
  /** As in `SentBody`. */
  readonly compression: string;
}

export interface ReadRequest {
  readonly rows: EncodedRows;
  /** What v1 answers for each event, by its id; null in other protocols. */
  readonly results: ReturnType<typeof v1Results> | null;
}

export interface Reader {
  /**
   * All events of a request, encoded. Throws `parse_error` and `request_too_large` for what cannot be read,
   * `not_authenticated` or `authentication_failed` for the project key, and a validation error for the first event that cannot be
   * kept.
   */
  read(request: SentRequest): Promise<ReadRequest>;
}

export interface ReaderPorts {
  /** The project a key (`phc_…`) belongs to. */
  projectByKey(key: string): Promise<{ readonly id: number } | null>;
  /** A new UUIDv7, 16 bytes. */
  newUuid(): Uint8Array;
  readonly personId: PersonIds;
  /** A packed request that holds more is `request_too_large`. Default: 20 MB. */
  readonly mostBytes?: number;
}

/** Reads in the calling thread. */
export function createReader(ports: ReaderPorts): Reader {
  return {
    read: async (request) => {
      const payload = await payloadOf(request, ports.mostBytes);
      const results = isV1(request.protocol) ? v1Results(payload.events) : null;
      return { rows: await encode(payload, keyOf(payload, request), request, ports), results };
    },
  };
}

async function payloadOf({ content, protocol, query }: SentRequest, most?: number): Promise<Payload> {
  const text =
    'data' in content
      ? await decodeData(content.data, content.compression, most)
      : await bodyText(content, most);
  const payload = readPayload(text);
  if (isV1(protocol)) return fromV1(payload, protocol.v1);
  const events = protocol === 'engage' ? payload.events.map(named) : payload.events;
  return { ...payload, sentAtMicros: payload.sentAtMicros ?? parseMicros(query.sentAt), events };
}

const isV1 = (protocol: SentRequest['protocol']): protocol is { readonly v1: V1Headers } =>
  typeof protocol === 'object';

const named = (event: SentEvent): SentEvent => ({ ...event, value: { event: '$identify', ...event.value } });

const keyOf = (payload: Payload, { protocol, query }: SentRequest): string | null =>
  isV1(protocol) ? bearerKey(protocol.v1.authorization) : (payload.token ?? (query.key || null));

/** 20 MB of events take a third of a second: let other requests in between. */
const EVENTS_PER_TURN = 1000;

async function encode(
  payload: Payload,
  key: string | null,
  { ip, receivedMicros }: SentRequest,
  ports: ReaderPorts,
): Promise<EncodedRows> {
  const project = await authenticate(key, ports);
  const arrival = {
    teamId: project.id,
    nowMicros: receivedMicros,
    sentAtMicros: payload.sentAtMicros,
    historicalMigration: payload.historicalMigration,
    ip,
    newUuid: ports.newUuid,
    personId: ports.personId,
  };
  const events: EventRow[] = [];
  for await (const portion of portionsOf(payload.events.filter(isKept), EVENTS_PER_TURN)) {
    for (const sent of portion) events.push(captureEvent(payload.text, sent, arrival));
  }
  return encodeRows(project.id, events);
}

async function authenticate(key: string | null, ports: ReaderPorts): Promise<{ readonly id: number }> {
  if (key === null) {
    throw new SluiceError('not_authenticated', {
      attr: 'api_key',
      detail: 'The request has no project key: send it as "api_key".',
    });
  }
  const project = await ports.projectByKey(key);
  if (project) return project;
  throw new SluiceError('authentication_failed', {
    attr: 'api_key',
    detail: 'There is no project with this key. A project key starts with "phc_".',
  });
}

/** Pieces of session recordings, which Sluice does not store; old clients send them with the events. */
const REPLAY_EVENTS: ReadonlySet<unknown> = new Set(['$snapshot', '$snapshot_items', '$performance_event']);

function isKept(sent: SentEvent): boolean {
  return !REPLAY_EVENTS.has(sent.value.event);
}

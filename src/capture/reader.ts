import { setImmediate as nextTurn } from 'node:timers/promises';
import { SluiceError } from '../errors/error.ts';
import { bodyText, decodeData, type SentBody } from './body.ts';
import { captureEvent } from './event.ts';
import { refuseManyMonths } from './months.ts';
import { type Payload, readPayload, type SentEvent } from './payload.ts';
import type { PersonIds } from './person-id.ts';
import { type EncodedRows, type EventRow, encodeRows } from './rows.ts';
import { parseMicros } from './timestamps.ts';
import { bearerKey, fromV1, type V1Headers, type V1Results, v1Outcomes } from './v1.ts';

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
  readonly results: V1Results | null;
}

export interface Reader {
  /**
   * All events of a request, encoded. Throws `parse_error` and `request_too_large` for what cannot be read,
   * `not_authenticated` or `authentication_failed` for the project key, and a validation error for the first event that cannot be
   * kept (of `v1` such an event is left out, and the results say so). A request whose client has gone may be left
   * unread, and is `unavailable`.
   */
  read(request: SentRequest, client?: Client): Promise<ReadRequest>;
}

/** Whoever waits for the answer. */
export interface Client {
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
}

export interface ReaderPorts {
  /** The project a key (`phc_…`) belongs to. */
  projectByKey(key: string): Promise<{ readonly id: number } | null>;
  /** A new UUIDv7, 16 bytes. */
  newUuid(): Uint8Array;
  readonly personId: PersonIds;
  /** A packed request that holds more is `request_too_large`. Default: 20 MB. */
  readonly mostBytes?: number;
  /** So is one of more objects and lists. Default: what honest clients send at most (`structures.ts`). */
  readonly mostStructures?: number;
}

/** Reads in the calling thread. */
export function createReader(ports: ReaderPorts): Reader {
  return {
    read: async (request) => {
      // What stands in the header is looked at before a byte of the body.
      const early = isV1(request.protocol)
        ? await authenticate(bearerKey(request.protocol.v1.authorization), ports)
        : null;
      const payload = await payloadOf(request, ports);
      const project = early ?? (await authenticate(payload.token ?? (request.query.key || null), ports));
      return await encode(payload, project.id, request, ports);
    },
  };
}

async function payloadOf({ content, protocol, query }: SentRequest, ports: ReaderPorts): Promise<Payload> {
  const text =
    'data' in content
      ? await decodeData(content.data, content.compression, ports.mostBytes)
      : await bodyText(content, ports.mostBytes);
  const payload = readPayload(text, ports.mostStructures);
  if (isV1(protocol)) return fromV1(payload, protocol.v1);
  const sentAtMicros = payload.sentAtMicros ?? parseMicros(query.sentAt);
  if (protocol !== 'engage') return { ...payload, sentAtMicros };
  return { ...payload, sentAtMicros, events: () => payload.events().map(named) };
}

const isV1 = (protocol: SentRequest['protocol']): protocol is { readonly v1: V1Headers } =>
  typeof protocol === 'object';

const named = (event: SentEvent): SentEvent => ({ ...event, value: { event: '$identify', ...event.value } });

/** 20 MB of events take a third of a second: let other requests in between. */
const EVENTS_PER_TURN = 1000;

async function encode(
  payload: Payload,
  teamId: number,
  { ip, receivedMicros, protocol }: SentRequest,
  ports: ReaderPorts,
): Promise<ReadRequest> {
  const arrival = {
    teamId,
    nowMicros: receivedMicros,
    sentAtMicros: payload.sentAtMicros,
    historicalMigration: payload.historicalMigration,
    ip,
    newUuid: ports.newUuid,
    personId: ports.personId,
  };
  const outcomes = isV1(protocol) ? v1Outcomes() : null;
  const events: EventRow[] = [];
  for (const sent of payload.events()) {
    const read = () => (isKept(sent) ? captureEvent(payload.text, sent, arrival) : null);
    const row = outcomes ? outcomes.keep(sent, read) : read();
    if (!row) continue;
    events.push(row);
    if (events.length % EVENTS_PER_TURN === 0) await nextTurn();
  }
  refuseManyMonths(events);
  return { rows: encodeRows(teamId, events), results: outcomes?.all() ?? null };
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

import Type from 'typebox';
import { SluiceError } from '../errors/error.ts';
import type { Endpoint, EndpointRequest } from '../http/endpoint.ts';
import { bodyText, decodeData, MAX_BODY_BYTES } from './body.ts';
import { type CapturePorts, encode, store } from './capture.ts';
import { type Payload, readPayload } from './payload.ts';
import type { EncodedRows } from './rows.ts';
import { sdkEndpoints } from './sdk-endpoints.ts';
import { parseMicros } from './timestamps.ts';
import { bearerKey, fromV1, v1Results } from './v1.ts';

/** The paths that take events today; all read the same shapes. posthog-node uses /batch/, posthog-js /e/ or /i/v0/e/. */
const PATHS = ['batch', 'capture', 'e', 'i/v0/e', 'track', 'engage'] as const;

const Stored = Type.Object({ status: Type.Literal('Ok') });

/** PostHog's capture API: events in, acknowledged when they are stored. */
export function captureEndpoints(ports: CapturePorts): Endpoint[] {
  const posts = PATHS.map((path) => postEvents(path, ports));
  const gets = PATHS.filter((path) => path !== 'batch').map((path) => getEvents(path, ports));
  return [...posts, ...gets, postV1(ports), ...sdkEndpoints()];
}

function postEvents(path: string, ports: CapturePorts): Endpoint {
  return {
    ...shared(path, 'POST', 'create'),
    rawBody: true,
    bodyLimit: MAX_BODY_BYTES,
    handler: async (request) => {
      await store(async () => rowsOf(await bodyText(sentBody(request)), path, request, ports), ports);
      return STORED;
    },
  };
}

/** The oldest clients put the events into the URL, of an image for instance. */
function getEvents(path: string, ports: CapturePorts): Endpoint {
  return {
    ...shared(path, 'GET', 'retrieve'),
    handler: async (request) => {
      const data = queryText(request, 'data');
      if (!data) throw new SluiceError('required', { attr: 'data' });
      const compression = queryText(request, 'compression');
      await store(async () => rowsOf(await decodeData(data, compression), path, request, ports), ports);
      return STORED;
    },
  };
}

function shared(path: string, method: 'GET' | 'POST', verb: string) {
  return {
    method,
    area: 'root',
    path: `/${path}`,
    operationId: `capture_${path.replaceAll('/', '_')}_${verb}`,
    summary: 'Stores events: a batch, a list or one event, plain, gzip or base64',
    tag: 'capture',
    scope: 'public',
    cors: true,
    response: { 200: Stored },
  } as const;
}

const STORED = { status: 200, body: { status: 'Ok' } } as const;

async function rowsOf(
  text: string,
  path: string,
  request: EndpointRequest,
  ports: CapturePorts,
): Promise<EncodedRows> {
  const payload = withQuery(readPayload(text), path, request);
  const key = payload.token ?? (queryText(request, 'token') || queryText(request, 'api_key') || null);
  return await encode(payload, { key, ip: queryText(request, 'ip') === '0' ? null : request.ip }, ports);
}

/** The time of sending may be in the URL (`sent_at`, or `_` in milliseconds); events of /engage/ have no name. */
function withQuery(payload: Payload, path: string, request: EndpointRequest): Payload {
  const sentAt = queryText(request, 'sent_at') || queryText(request, '_');
  return {
    ...payload,
    sentAtMicros: payload.sentAtMicros ?? parseMicros(sentAt),
    events:
      path === 'engage'
        ? payload.events.map((event) => ({ ...event, value: { event: '$identify', ...event.value } }))
        : payload.events,
  };
}

function postV1(ports: CapturePorts): Endpoint {
  return {
    ...shared('i/v1/analytics/events', 'POST', 'create'),
    summary: 'Stores a batch of events (protocol v1)',
    response: {
      200: Type.Object({ results: Type.Record(Type.String(), Type.Object({ result: Type.Literal('ok') })) }),
    },
    rawBody: true,
    bodyLimit: MAX_BODY_BYTES,
    handler: async (request) => {
      let results: ReturnType<typeof v1Results> = {};
      await store(async () => {
        const payload = fromV1(readPayload(await bodyText(sentBody(request))), request.headers);
        results = v1Results(payload.events);
        return await encode(
          payload,
          { key: bearerKey(request.headers.authorization), ip: request.ip },
          ports,
        );
      }, ports);
      return { status: 200, body: { results } };
    },
  };
}

function sentBody(request: EndpointRequest) {
  return {
    raw: request.raw,
    contentType: request.headers['content-type'] ?? '',
    contentEncoding: request.headers['content-encoding'] ?? '',
    compression: queryText(request, 'compression'),
  };
}

function queryText(request: EndpointRequest, name: string): string {
  const value = request.query[name];
  return typeof value === 'string' ? value : '';
}

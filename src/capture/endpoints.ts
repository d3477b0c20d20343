import Type from 'typebox';
import { SluiceError } from '../errors/error.ts';
import type { Endpoint, EndpointRequest } from '../http/endpoint.ts';
import type { Clock } from '../work/clock.ts';
import type { Batcher } from './batcher.ts';
import { MAX_BODY_BYTES, type SentBody } from './body.ts';
import type { Client, Reader, SentRequest } from './reader.ts';
import { sdkEndpoints } from './sdk-endpoints.ts';
import { v1Headers } from './v1.ts';

export interface CapturePorts {
  readonly reader: Reader;
  readonly batcher: Pick<Batcher, 'add'>;
  readonly clock: Pick<Clock, 'now'>;
  /** Whether the client's address is kept as the property `$ip`. */
  readonly keepIp: boolean;
}

/**
 * The paths that take events today; all read the same shapes. posthog-node uses /batch/, and /i/v0/ai/batch/ for those
 * of language models, posthog-js /e/ or /i/v0/e/.
 */
const PATHS = ['batch', 'i/v0/ai/batch', 'capture', 'e', 'i/v0/e', 'track', 'engage'] as const;
type Path = (typeof PATHS)[number];
/** Those that no client ever put events into the URL of. */
const POST_ONLY: readonly Path[] = ['batch', 'i/v0/ai/batch'];
const V1_PATHS = ['i/v1/analytics/events', 'i/v1/ai/events'] as const;

const V1Result = Type.Object({
  result: Type.Union([Type.Literal('ok'), Type.Literal('drop')]),
  details: Type.Optional(Type.String()),
});
const Stored = Type.Object({ status: Type.Literal('Ok') });

/** PostHog's capture API: events in, acknowledged when they are stored. */
export function captureEndpoints(ports: CapturePorts): Endpoint[] {
  const posts = PATHS.map((path) => postEvents(path, ports));
  const gets = PATHS.filter((path) => !POST_ONLY.includes(path)).map((path) => getEvents(path, ports));
  return [...posts, ...gets, ...V1_PATHS.map((path) => postV1(path, ports)), ...sdkEndpoints()];
}

function postEvents(path: Path, ports: CapturePorts): Endpoint {
  return {
    ...shared(path, 'POST', 'create'),
    rawBody: true,
    bodyLimit: MAX_BODY_BYTES,
    handler: async (request) => {
      await store(sentRequest(request, sentBody(request), protocolOf(path), ports), request, ports);
      return STORED;
    },
  };
}

/** The oldest clients put the events into the URL, of an image for instance. */
function getEvents(path: Path, ports: CapturePorts): Endpoint {
  return {
    ...shared(path, 'GET', 'retrieve'),
    handler: async (request) => {
      const data = queryText(request, 'data');
      if (!data) throw new SluiceError('required', { attr: 'data' });
      const content = { data, compression: queryText(request, 'compression') };
      await store(sentRequest(request, content, protocolOf(path), ports), request, ports);
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

/**
 * Stores all events of a request or none, but for the bad ones of v1. Resolves, with v1's results, when ClickHouse has
 * stored them. Throws what reading throws, and `unavailable` when the events should be sent again. What waits for its
 * insert is the encoded rows alone.
 */
async function store(sent: SentRequest, client: Client, ports: CapturePorts) {
  const { rows, results } = await ports.reader.read(sent, client);
  await ports.batcher.add(rows);
  return results;
}

const protocolOf = (path: Path) => (path === 'engage' ? 'engage' : 'events');

/** The key, the time of sending (`sent_at`, or `_` in milliseconds) and the wish not to keep the address may be in the URL. */
function sentRequest(
  request: EndpointRequest,
  content: SentRequest['content'],
  protocol: SentRequest['protocol'],
  ports: CapturePorts,
): SentRequest {
  const keepIp = ports.keepIp && (typeof protocol === 'object' || queryText(request, 'ip') !== '0');
  return {
    content,
    protocol,
    query: {
      key: queryText(request, 'token') || queryText(request, 'api_key'),
      sentAt: queryText(request, 'sent_at') || queryText(request, '_'),
    },
    ip: keepIp ? request.ip : null,
    receivedMicros: ports.clock.now() * 1000,
  };
}

function postV1(path: (typeof V1_PATHS)[number], ports: CapturePorts): Endpoint {
  return {
    ...shared(path, 'POST', 'create'),
    summary: 'Stores a batch of events (protocol v1)',
    response: {
      200: Type.Object({ results: Type.Record(Type.String(), V1Result) }),
    },
    rawBody: true,
    bodyLimit: MAX_BODY_BYTES,
    handler: async (request) => {
      const protocol = { v1: v1Headers(request.headers) };
      const sent = sentRequest(request, sentBody(request), protocol, ports);
      const results = await store(sent, request, ports);
      return { status: 200, body: { results } };
    },
  };
}

function sentBody(request: EndpointRequest): SentBody {
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

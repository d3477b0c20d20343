import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';

/** What a receiver does with a request. */
export type Manner =
  | { readonly answer: number; readonly retryAfter?: number; readonly body?: string }
  /** Takes the request and never answers. */
  | 'hang'
  /** Breaks the connection instead of answering. */
  | 'reset'
  /** Takes the events, says 200 and breaks off in the middle of the answer. */
  | 'half an answer'
  /** Wants to go on in another protocol. */
  | 'upgrade';

export interface Received {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly key: string;
  readonly body: string;
  /** Of the events in the body, in their order. */
  readonly uuids: readonly string[];
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly manner: Manner;
}

/** A real HTTP server that records what it is sent and behaves as told. */
export interface Receiver {
  readonly url: string;
  readonly requests: readonly Received[];
  /** The manner of every request from now on; a function decides for each. */
  behave(manner: Manner | ((request: Omit<Received, 'manner'>) => Manner)): void;
  /** Milliseconds it takes for every request from now on. */
  delay(ms: number): void;
  /** Requests that it took for good: answered 2xx and whole. */
  taken(): readonly Received[];
  close(): Promise<void>;
}

const OK: Manner = { answer: 200 };

export async function startReceiver(): Promise<Receiver> {
  const requests: Received[] = [];
  let decide: (request: Omit<Received, 'manner'>) => Manner = () => OK;
  let slowness = 0;
  const server = createServer((request, response) => void receive(request, response).catch(() => {}));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = (await buffer(request)).toString('utf8');
    const received = {
      path: request.url ?? '',
      headers: request.headers,
      key: String(request.headers['idempotency-key'] ?? ''),
      body,
      uuids: uuidsOf(body),
      at: Date.now(),
    };
    await pause(slowness);
    const manner = decide(received);
    requests.push({ ...received, manner });
    respond(response, manner);
  }

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    behave: (manner) => {
      decide = typeof manner === 'function' ? manner : () => manner;
    },
    delay: (ms) => {
      slowness = ms;
    },
    taken: () =>
      requests.filter(
        ({ manner }) => typeof manner === 'object' && manner.answer >= 200 && manner.answer < 300,
      ),
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

function respond(response: ServerResponse, manner: Manner): void {
  if (manner === 'hang') return;
  if (manner === 'reset') {
    response.socket?.resetAndDestroy();
    return;
  }
  if (manner === 'upgrade') {
    response.socket?.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n',
    );
    return;
  }
  if (manner === 'half an answer') {
    response.writeHead(200, { 'Content-Length': 1000 });
    response.write('{"status":');
    setImmediate(() => response.socket?.destroy());
    return;
  }
  const { answer, retryAfter, body = '{"status":"Ok"}' } = manner;
  response.writeHead(answer, {
    'Content-Type': 'application/json',
    ...(retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) }),
  });
  response.end(body);
}

/** A webhook's batch, a replicator's batch, or one event. */
function uuidsOf(body: string): string[] {
  const sent = JSON.parse(body) as { events?: Sent[]; batch?: Sent[] } & Sent;
  return (sent.events ?? sent.batch ?? [sent]).map(({ uuid }) => uuid);
}

interface Sent {
  readonly uuid: string;
}

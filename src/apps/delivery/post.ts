import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import { SluiceError } from '../../errors/error.ts';
import type { SocketLookup } from '../../work/hosts.ts';
import type { PostRequest } from '../catalogue/app.ts';
import { type HttpAnswer, PERHAPS_THE_BATCH, verdictOf } from './verdict.ts';

export interface PosterOptions {
  /** Finds only addresses that may be reached: names are checked where they are resolved, at every connection. */
  readonly lookup: SocketLookup;
  /** Null when an address written as such may be reached: it is never looked up. */
  readonly problemWithHost: (host: string) => Promise<string | null>;
  readonly now: () => number;
  /** For the whole exchange, milliseconds. */
  readonly timeoutMs?: number;
}

export interface Poster {
  readonly post: (request: PostRequest) => Promise<void>;
  close(): void;
}

const TIMEOUT_MS = 30_000;
const VERSION_HEADER = { 'User-Agent': 'sluice' };

/** Sends requests over kept connections. Redirects are not followed: the place they lead to was never checked. */
export function createPoster(options: PosterOptions): Poster {
  const settings = { keepAlive: true, maxFreeSockets: 16, lookup: options.lookup as never };
  const agents = { http: new HttpAgent(settings), https: new HttpsAgent(settings) };
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  return {
    post: async (request) => {
      const url = new URL(request.url);
      const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
      const problem = isIP(host) ? await options.problemWithHost(host) : null;
      if (problem !== null) throw new SluiceError('destination_config', { detail: problem });
      const late = AbortSignal.timeout(timeoutMs);
      const answer = await exchange(url, agents, request, AbortSignal.any([request.signal, late])).catch(
        (error: NodeJS.ErrnoException) => {
          request.signal.throwIfAborted();
          if (late.aborted) throw unanswered(`no answer within ${timeoutMs / 1000} s`, true);
          throw unanswered(error.code ?? 'no answer', BROKEN_OFF.includes(error.code));
        },
      );
      const error = verdictOf(answer, options.now());
      if (error) throw error;
    },
    close: () => {
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}

/** Of a connection that there was: a receiver that dies of a batch breaks it off. */
const BROKEN_OFF: readonly (string | undefined)[] = ['ECONNRESET', 'EPIPE', undefined];

const unanswered = (why: string, perhapsTheBatch: boolean) =>
  why === 'EHOSTFORBIDDEN'
    ? new SluiceError('destination_config', {
        detail: 'The host may not be reached; SLUICE_ALLOWED_HOSTS can allow it.',
      })
    : new SluiceError('destination_unavailable', {
        detail: `The receiver could not be reached: ${why}.`,
        ...(perhapsTheBatch ? { cause: PERHAPS_THE_BATCH } : {}),
      });

function exchange(
  url: URL,
  agents: { http: HttpAgent; https: HttpsAgent },
  { headers, body }: PostRequest,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const bytes = Buffer.from(body as string);
  const options = {
    method: 'POST',
    headers: { ...VERSION_HEADER, ...headers, 'Content-Length': bytes.length },
    signal,
  };
  return new Promise((resolve, reject) => {
    const call =
      url.protocol === 'https:'
        ? httpsRequest(url, { ...options, agent: agents.https })
        : httpRequest(url, { ...options, agent: agents.http });
    // A request may end with neither an answer nor an error, and no abort reaches it afterwards.
    const closed = () => reject(new Error('the connection was closed'));
    call.on('response', (response) => {
      call.off('close', closed);
      void whole(response).then(resolve, reject);
    });
    // 101: the connection is the receiver's to speak another protocol on. Nobody asked for that.
    call.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve(answerOf(response, ''));
    });
    call.on('error', reject);
    call.on('close', closed);
    call.end(bytes);
  });
}

/** Many more than are shown: masking what is secret makes them fewer. */
const KEPT_CHARACTERS = 5_000;

/** An answer counts when it is complete: of one that breaks off, nobody knows what it would have said. */
async function whole(response: IncomingMessage): Promise<HttpAnswer> {
  let text = '';
  for await (const chunk of response) {
    if (text.length < KEPT_CHARACTERS) text += String(chunk);
  }
  return answerOf(response, text.slice(0, KEPT_CHARACTERS));
}

const answerOf = ({ statusCode, headers }: IncomingMessage, text: string): HttpAnswer => ({
  status: statusCode ?? 0,
  retryAfter: headers['retry-after'],
  text,
});

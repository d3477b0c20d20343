import type { FastifyReply, FastifyRequest } from 'fastify';
import { SluiceError } from '../errors/error.ts';
import { isForm, UnreadableBody } from './body.ts';
import type { Caller, Endpoint, EndpointRequest, Project } from './endpoint.ts';
import { plainAddress } from './network.ts';
import { readBody, readQuery } from './validation.ts';

/** What was found out about a request before its handler runs. */
export interface Access {
  readonly caller: Caller | null;
  readonly project: Project | null;
}

const NO_BYTES = Buffer.alloc(0);

/**
 * What a handler sees of a request. Validates query, then body: throws the first problem. The URL and
 * the abort signal are made only when asked for, because the busiest endpoints need neither.
 */
export async function toEndpointRequest(
  endpoint: Endpoint,
  request: FastifyRequest,
  reply: FastifyReply,
  access: Access,
): Promise<EndpointRequest> {
  const params = request.params as Record<string, string>;
  // No name or id holds a NUL, and databases refuse to look for one.
  if (Object.values(params).some((value) => value.includes('\0'))) throw new SluiceError('not_found');
  const where = {
    params,
    get caller(): Caller {
      return present(access.caller, 'caller', endpoint);
    },
    get project(): Project {
      return present(access.project, 'project', endpoint);
    },
  };
  const { query, body } = await readSent(endpoint, request, where);
  let url: URL | undefined;
  let signal: AbortSignal | undefined;
  return {
    method: request.method,
    params,
    query,
    body,
    raw: Buffer.isBuffer(request.body) ? request.body : NO_BYTES,
    headers: request.headers,
    ip: plainAddress(request.ip),
    get caller(): Caller {
      return where.caller;
    },
    get project(): Project {
      return where.project;
    },
    get url(): URL {
      url ??= absoluteUrl(request);
      return url;
    },
    get signal(): AbortSignal {
      signal ??= untilGone(reply);
      return signal;
    },
  };
}

/** Query and body, as the schemas type them. What the path names is looked for before either is found bad. */
async function readSent(
  endpoint: Endpoint,
  request: FastifyRequest,
  where: Pick<EndpointRequest, 'caller' | 'project' | 'params'>,
) {
  const rawQuery = request.query as Record<string, unknown>;
  try {
    // What nobody reads cannot be wrong.
    if (endpoint.body && request.body instanceof UnreadableBody) throw request.body.error;
    const query = endpoint.query ? readQuery(endpoint.query, rawQuery) : lastOfEach(rawQuery);
    const source = isForm(request.headers['content-type']) ? 'text' : 'json';
    const body = endpoint.body ? readBody(endpoint.body, request.body ?? {}, source) : {};
    return { query, body };
  } catch (error) {
    await endpoint.requireObject?.(where);
    throw error;
  }
}

function present<T>(value: T | null, what: string, endpoint: Endpoint): T {
  if (value !== null) return value;
  throw new Error(`${endpoint.operationId} asked for the ${what}, which its area or scope does not have.`);
}

function lastOfEach(query: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(query).map(([name, value]) => [name, Array.isArray(value) ? value.at(-1) : value]),
  );
}

/**
 * The `Host` header is the client's to choose; one that makes no URL is not believed. Proxies may send the
 * whole URL as the target, of which only path and query count; a fragment does not belong there at all, and
 * links made from it would be none.
 */
function absoluteUrl(request: FastifyRequest): URL {
  const target = request.url.replace(/^[a-z]+:\/\/[^/?]*/i, '').replace(/#.*$/s, '');
  // What a trusted proxy passes on may still be its client's.
  const protocol = /^https$/i.test(request.protocol) ? 'https' : 'http';
  const url = `${protocol}://${request.host}${target}`;
  return new URL(request.host && URL.canParse(url) ? url : `http://localhost${target}`);
}

function untilGone(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort(new SluiceError('unavailable'));
  });
  return controller.signal;
}

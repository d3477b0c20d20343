import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { TSchema } from 'typebox';
import type { Authenticator } from './authenticator.ts';
import { enterProject, identify, keyOfHeader, requireScope, requireUnlimited } from './authorization.ts';
import { refuseTooLarge } from './body.ts';
import { allowOrigin, preflight } from './cors.ts';
import type { Answer, Endpoint } from './endpoint.ts';
import { jsonAnswer } from './json-answer.ts';
import { methodsOf, refusal, strangeMethod } from './refusals.ts';
import { type Access, toEndpointRequest } from './request.ts';
import type { ApiThrottle } from './throttle.ts';

declare module 'fastify' {
  interface FastifyRequest {
    access: Access | null;
  }
  interface FastifyContextConfig {
    /** The label of metrics and log lines; set on every mounted route. */
    operationId?: string;
    rawBody?: boolean;
    unread?: boolean;
    /** Successes are logged at level debug. */
    quiet?: boolean;
  }
}

export interface MountOptions {
  readonly authenticator: Authenticator;
  readonly throttle: ApiThrottle | null;
  /** Checks each answer against its documented schema, for tests; a mismatch is answered with 500. */
  readonly verifyAnswers: boolean;
}

const DEFAULT_BODY_LIMIT = 10 * 1024 * 1024;
/** Those the router knows; the rest of Node's go to `strangeMethod`. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'QUERY'];
const PREFIXES = {
  project: [
    { path: '/api/projects/:project_id', operation: '' },
    { path: '/api/environments/:project_id', operation: 'environments_' },
  ],
  api: [{ path: '/api', operation: '' }],
  root: [{ path: '', operation: '' }],
} as const;

/** Every path an endpoint has, with the operation's name there. */
export const placesOf = (
  endpoint: Pick<Endpoint, 'area' | 'path' | 'operationId'>,
): { url: string; operationId: string }[] =>
  PREFIXES[endpoint.area].map(({ path, operation }) => ({
    // Generated clients send the trailing slash; the router takes both (contract.md §1.1).
    url: `${path}${endpoint.path}${endpoint.area === 'root' ? '' : '/'}`,
    operationId: `${operation}${endpoint.operationId}`,
  }));

/**
 * Mounts every endpoint, and answers 405 for the methods a known path does not have. Returns what is left to do for
 * requests that the router finds no route for.
 */
export function mountEndpoints(
  app: FastifyInstance,
  endpoints: readonly Endpoint[],
  options: MountOptions,
): (request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  app.decorateRequest('access', null);
  const byPath = new Map<string, Endpoint[]>();
  for (const endpoint of endpoints) {
    for (const { url, operationId } of placesOf(endpoint)) {
      byPath.set(url, [...(byPath.get(url) ?? []), endpoint]);
      mountEndpoint(app, endpoint, url, operationId, options);
    }
  }
  for (const [path, mounted] of byPath) mountRefusals(app, path, mounted, options);
  return strangeMethod(byPath, METHODS, options.authenticator);
}

function mountEndpoint(
  app: FastifyInstance,
  endpoint: Endpoint,
  url: string,
  operationId: string,
  options: MountOptions,
): void {
  const { scope } = endpoint;
  const admit = async (request: FastifyRequest, reply: FastifyReply) => {
    const reference = endpoint.area === 'project' ? projectOf(request) : null;
    const identified = await identify(options.authenticator, request, reply, reference);
    const { caller } = identified;
    requireScope(caller, scope as string | null);
    if (endpoint.unlimited) requireUnlimited(caller);
    const project = reference === null ? null : enterProject(identified);
    options.throttle?.admit(caller.keyHash, project?.id ?? null, endpoint.costly ?? false);
    request.access = { caller, project };
  };
  app.route({
    method: endpoint.method,
    url,
    bodyLimit: endpoint.bodyLimit ?? DEFAULT_BODY_LIMIT,
    config: {
      operationId,
      rawBody: endpoint.rawBody ?? false,
      unread: endpoint.unread ?? false,
      quiet: endpoint.hidden ?? endpoint.rawBody ?? false,
    },
    onRequest: async (request, reply) => {
      if (endpoint.cors) allowOrigin(request, reply);
      // A key in the header is checked before a byte of the body is read, and so is how large it is to be.
      if (scope !== 'public' && keyOfHeader(request.headers.authorization)) await admit(request, reply);
      refuseTooLarge(request);
    },
    preValidation: async (request, reply) => {
      if (scope === 'public') request.access = { caller: null, project: null };
      else if (!request.access) await admit(request, reply);
    },
    handler: async (request, reply) => {
      const access = request.access ?? { caller: null, project: null };
      const answer = await endpoint.handler(await toEndpointRequest(endpoint, request, reply, access));
      if (options.verifyAnswers) await verifyAnswer(endpoint, answer);
      return send(reply, answer);
    },
  });
}

const projectOf = (request: FastifyRequest): string => (request.params as { project_id: string }).project_id;

async function send(reply: FastifyReply, answer: Answer): Promise<FastifyReply> {
  reply.code(answer.status);
  if (answer.headers) reply.headers(answer.headers);
  if (answer.stream) return reply.send(answer.stream);
  const { body } = answer;
  if (body === undefined) return reply.send();
  if (typeof body === 'string' || Buffer.isBuffer(body)) return reply.send(body);
  return reply.type('application/json').send(await jsonAnswer(body));
}

/** What is answered must be what the API description promises; tests run with this on. */
async function verifyAnswer(endpoint: Endpoint, answer: Answer): Promise<void> {
  const schema: TSchema | null | undefined = endpoint.response[answer.status];
  const problem = (what: string) => new Error(`${endpoint.operationId} answered ${answer.status} ${what}`);
  if (schema === undefined) throw problem('without documenting it');
  if (answer.stream || typeof answer.body === 'string' || Buffer.isBuffer(answer.body)) return;
  if (schema === null) {
    if (answer.body !== undefined) throw problem('with a body, documented as empty');
    return;
  }
  const sent = answer.body === undefined ? undefined : JSON.parse(JSON.stringify(answer.body));
  // Three hundred modules that only tests need.
  const { Value } = await import('typebox/value');
  const [error] = Value.Errors(schema, sent);
  if (error) throw problem(`unlike its schema at "${error.instancePath}": ${error.message}`);
}

/** What the methods that a path does not have are answered. */
function mountRefusals(
  app: FastifyInstance,
  url: string,
  mounted: readonly Endpoint[],
  options: MountOptions,
): void {
  const open = mounted.filter((endpoint) => endpoint.cors);
  if (open.length > 0) {
    app.options(url, { config: { operationId: 'preflight', quiet: true } }, preflight(open));
  }
  const methods = methodsOf(mounted);
  const refuse = refusal(mounted, options.authenticator);
  app.route({
    method: METHODS.filter((method) => !methods.includes(method)),
    url,
    config: { operationId: 'method_not_allowed', rawBody: true },
    onRequest: (request, reply) => refuse(request, reply, request.params as Record<string, string>),
    handler: async () => undefined,
  });
}

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Endpoint } from './endpoint.ts';

const DAY_SECONDS = '86400';

/** Lets the calling page read the answer. Cookies mean nothing to the endpoints that are open to all. */
export function allowOrigin(request: FastifyRequest, reply: FastifyReply): void {
  const { origin } = request.headers;
  if (origin === undefined) return;
  reply.header('access-control-allow-origin', origin);
  // Beacons are sent in credentials mode and are lost without this.
  reply.header('access-control-allow-credentials', 'true');
  reply.header('vary', 'Origin');
}

/** Answers the preflight request of a path. */
export function preflight(endpoints: readonly Endpoint[]) {
  const methods = [...new Set(endpoints.map((endpoint) => endpoint.method)), 'OPTIONS'].join(', ');
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    allowOrigin(request, reply);
    reply.header('access-control-allow-methods', methods);
    const wanted = request.headers['access-control-request-headers'];
    if (wanted !== undefined) reply.header('access-control-allow-headers', wanted);
    reply.header('access-control-max-age', DAY_SECONDS);
    return reply.code(204).send();
  };
}

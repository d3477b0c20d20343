import type { FastifyReply, FastifyRequest } from 'fastify';
import { SluiceError } from '../errors/error.ts';
import type { Authenticator } from './authenticator.ts';
import { identify, resolveProject } from './authorization.ts';
import { allowOrigin } from './cors.ts';
import type { Endpoint } from './endpoint.ts';

type Refuse = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/** The methods of a path, with those that come by themselves. */
export function methodsOf(mounted: readonly Endpoint[]): string[] {
  const methods = new Set<string>(mounted.map((endpoint) => endpoint.method));
  if (methods.has('GET')) methods.add('HEAD');
  if (mounted.some((endpoint) => endpoint.cors)) methods.add('OPTIONS');
  return [...methods];
}

/** Throws 405 with `Allow` for a method that a path does not have; whoever may not enter is told so first. */
export function refusal(mounted: readonly Endpoint[], authenticator: Authenticator): Refuse {
  const allowed = methodsOf(mounted).join(', ');
  const isPublic = mounted.some((endpoint) => endpoint.scope === 'public');
  const isOpen = mounted.some((endpoint) => endpoint.cors);
  return async (request, reply) => {
    if (isOpen) allowOrigin(request, reply);
    if (!isPublic) {
      const caller = await identify(authenticator, request, reply);
      const reference = (request.params as { project_id?: string } | undefined)?.project_id;
      if (reference !== undefined) await resolveProject(authenticator, caller, reference);
    }
    reply.header('allow', allowed);
    throw new SluiceError('method_not_allowed', { detail: `Method "${request.method}" not allowed.` });
  };
}

/**
 * For methods that the router has never heard of, `PROPFIND` and the like: it finds no route for them, also where there
 * is one for others. Throws 405 on a path that exists; does nothing elsewhere.
 */
export function strangeMethod(
  byPath: ReadonlyMap<string, readonly Endpoint[]>,
  usual: readonly string[],
  authenticator: Authenticator,
): Refuse {
  const known = [...byPath].map(([path, mounted]) => ({
    pattern: new RegExp(`^${path.replace(/\/$/, '').replaceAll(/:\w+/g, '[^/]+')}/?$`),
    refuse: refusal(mounted, authenticator),
  }));
  return async (request, reply) => {
    if (usual.includes(request.method)) return;
    const [path = ''] = request.url.split(/[?#]/, 1);
    await known.find(({ pattern }) => pattern.test(path))?.refuse(request, reply);
  };
}

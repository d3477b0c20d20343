import type { FastifyReply, FastifyRequest } from 'fastify';
import { SluiceError } from '../errors/error.ts';
import type { Authenticator } from './authenticator.ts';
import { enterProject, identify } from './authorization.ts';
import { allowOrigin } from './cors.ts';
import type { Endpoint } from './endpoint.ts';

/** `params` are those of the path. */
type Refuse = (
  request: FastifyRequest,
  reply: FastifyReply,
  params: Readonly<Record<string, string>>,
) => Promise<void>;

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
  return async (request, reply, { project_id: project }) => {
    if (isOpen) allowOrigin(request, reply);
    if (!isPublic) {
      const identified = await identify(authenticator, request, reply, project ?? null);
      if (project !== undefined) enterProject(identified);
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
): (request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  const known = [...byPath]
    // As the router does: a name goes before a parameter.
    .sort(([one], [other]) => one.split(':').length - other.split(':').length)
    .map(([path, mounted]) => ({
      pattern: new RegExp(`^${path.replace(/\/$/, '').replaceAll(/:(\w+)/g, '(?<$1>[^/]+)')}/?$`),
      refuse: refusal(mounted, authenticator),
    }));
  return async (request, reply) => {
    if (usual.includes(request.method)) return;
    const [path = ''] = request.url.split(/[?#]/, 1);
    for (const { pattern, refuse } of known) {
      const match = pattern.exec(path);
      if (match) await refuse(request, reply, match.groups ?? {});
    }
  };
}

import type { FastifyReply, FastifyRequest } from 'fastify';
import { SluiceError } from '../errors/error.ts';
import type { Authenticator, Identified, ProjectReference } from './authenticator.ts';
import type { Caller, Project } from './endpoint.ts';
import { callerOfSession } from './sessions.ts';

/** Where keys may be found; the names end up in the detail of a refusal. */
type Place = 'Authorization header' | 'request body' | 'query string';

interface Credentials {
  readonly key: string;
  readonly place: Place;
}

/** `Authorization: Bearer <key>`; other schemes count as none. */
export function keyOfHeader(header: string | undefined): Credentials | null {
  const key = /^Bearer\s+(\S.*)$/i.exec(header ?? '')?.[1];
  return key === undefined ? null : { key: key.trim(), place: 'Authorization header' };
}

/** The places after the header, in order; only the first one found is tried (contract.md §1.3). */
function keyOfRequest(body: unknown, query: unknown): Credentials | null {
  const inBody = keyIn(body);
  if (inBody !== null) return { key: inBody, place: 'request body' };
  const inQuery = keyIn(query);
  return inQuery === null ? null : { key: inQuery, place: 'query string' };
}

function keyIn(fields: unknown): string | null {
  if (fields === null || typeof fields !== 'object' || !Object.hasOwn(fields, 'personal_api_key'))
    return null;
  const found = (fields as { personal_api_key: unknown }).personal_api_key;
  const key = Array.isArray(found) ? found.at(-1) : found;
  return typeof key === 'string' && key !== '' ? key : null;
}

/**
 * Who is calling. A key, wherever it is, comes before the session of a browser. `reference` is the project of the URL, if it
 * names one. Throws `not_authenticated`, `authentication_failed` naming where the key was found, or `permission_denied` for a
 * forged session.
 */
export async function identify(
  authenticator: Authenticator,
  request: FastifyRequest,
  reply: FastifyReply,
  reference: string | null,
): Promise<Identified> {
  const credentials = keyOfHeader(request.headers.authorization) ?? keyOfRequest(request.body, request.query);
  const wanted = projectReference(reference);
  if (credentials === null) {
    const caller = await callerOfSession(authenticator, request, reply);
    if (!caller) throw new SluiceError('not_authenticated');
    const id = wanted === '@current' ? caller.currentProjectId : wanted;
    return { caller, project: id === null ? null : await authenticator.findProject(id, caller.userId) };
  }
  const identified = await authenticator.authenticate(credentials.key, wanted);
  if (identified) return identified;
  throw new SluiceError('authentication_failed', {
    detail: `The personal API key found in the ${credentials.place} is invalid.`,
  });
}

/** `x:write` satisfies `x:read`; `*` satisfies all. Throws `permission_denied` naming the scope. */
export function requireScope(caller: Caller, scope: string | null): void {
  if (scope === null || caller.scopes.includes('*') || caller.scopes.includes(scope)) return;
  const [object, action] = scope.split(':');
  if (action === 'read' && caller.scopes.includes(`${object}:write`)) return;
  throw new SluiceError('permission_denied', { detail: `The API key lacks the required scope "${scope}".` });
}

const LARGEST_ID = 2 ** 31 - 1;

/** Null for what cannot be a project's. */
function projectReference(text: string | null): ProjectReference | null {
  if (text === null || text === '@current') return text;
  return /^\d{1,10}$/.test(text) && Number(text) <= LARGEST_ID ? Number(text) : null;
}

/**
 * The project of a URL (contract.md §1.2): 404 for what is no project, then 403 for a person who is not a member or a key that is
 * not meant for it. Neither is told whose project it is.
 */
export function enterProject({ caller, project: found }: Identified): Project {
  if (!found) throw new SluiceError('not_found', { detail: 'Project not found.' });
  const { id, organizationId } = found.project;
  if (!found.member) {
    throw new SluiceError('permission_denied', { detail: 'You have no access to this project.' });
  }
  const { scopedProjects, scopedOrganizations } = caller;
  const meant =
    (scopedProjects === null || scopedProjects.includes(id)) &&
    (scopedOrganizations === null || scopedOrganizations.includes(organizationId));
  if (!meant) {
    throw new SluiceError('permission_denied', { detail: `The API key has no access to project ${id}.` });
  }
  return found.project;
}

/** Throws `permission_denied` for a key limited to projects or organizations: it must not reach beyond them. */
export function requireUnlimited(caller: Caller): void {
  if (caller.scopedProjects === null && caller.scopedOrganizations === null) return;
  throw new SluiceError('permission_denied', {
    detail: 'An API key limited to projects or organizations may not do this.',
  });
}

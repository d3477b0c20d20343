import { SluiceError } from '../errors/error.ts';
import type { Caller } from '../http/endpoint.ts';

/** Throws `permission_denied` for a key limited to projects or organizations: it must not reach beyond them. */
export function refuseLimited(caller: Caller, what: string): void {
  if (caller.scopedProjects === null && caller.scopedOrganizations === null) return;
  throw new SluiceError('permission_denied', { detail: `A key with limits may not ${what}.` });
}

import { SluiceError } from '../errors/error.ts';
import type { Caller, Project } from '../http/endpoint.ts';
import { formatTimestamp } from '../http/timestamps.ts';
import { type Db, findProject, listOrganizations, listProjects, organizationsOfProjects } from './store.ts';

/** Organizations that the caller belongs to and the key may enter, itself or one of their projects, as the API shows them. */
export async function organizationsOf(db: Db, caller: Caller) {
  const { scopedOrganizations, scopedProjects } = caller;
  const [rows, entered] = await Promise.all([
    listOrganizations(db, caller.userId),
    scopedProjects === null ? null : organizationsOfProjects(db, scopedProjects),
  ]);
  return rows
    .filter(({ id }) => (scopedOrganizations?.includes(id) ?? true) && (entered?.has(id) ?? true))
    .map((row) => ({
      id: row.id,
      name: row.name,
      created_at: formatTimestamp(row.created_at),
      membership_level: row.level,
    }));
}

/**
 * One the caller belongs to; `@current` is the current project's. Others do not exist for the caller: throws `not_found`, or
 * `permission_denied` for a key that is limited to others.
 */
export async function organizationOf(db: Db, caller: Caller, reference: string | undefined) {
  const id = reference === '@current' ? await currentOrganizationId(db, caller) : reference;
  const found = (await organizationsOf(db, caller)).find((organization) => organization.id === id);
  if (found) return found;
  const mine = await listOrganizations(db, caller.userId);
  if (!mine.some((organization) => organization.id === id)) throw new SluiceError('not_found');
  throw new SluiceError('permission_denied', {
    detail: `The API key has no access to organization ${reference}.`,
  });
}

async function currentOrganizationId(db: Db, caller: Caller): Promise<string | null> {
  if (caller.currentProjectId === null) return null;
  return (await findProject(db, caller.currentProjectId, caller.userId))?.organization_id ?? null;
}

/** The projects of an organization that the caller may use. Throws `not_found`, `permission_denied`. */
export async function projectsOf(
  db: Db,
  caller: Caller,
  reference: string | undefined,
): Promise<readonly Project[]> {
  const { id } = await organizationOf(db, caller, reference);
  return (await listProjects(db, id))
    .filter((project) => caller.scopedProjects === null || caller.scopedProjects.includes(project.id))
    .map(({ id: projectId, organization_id, name, timezone }) => ({
      id: projectId,
      organizationId: organization_id,
      name,
      timezone,
    }));
}

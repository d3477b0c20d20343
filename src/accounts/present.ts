import { type TSchema, Type } from 'typebox';
import { SluiceError } from '../errors/error.ts';
import { requireOrganization } from '../http/authorization.ts';
import type { Caller, Project } from '../http/endpoint.ts';
import { formatTimestamp } from '../http/timestamps.ts';
import { type Db, findProject, findUser, listOrganizations, listProjects } from './store.ts';
import { toUser, UserSchema } from './user.ts';

const Maybe = (schema: TSchema) => Type.Union([schema, Type.Null()]);
export const Uuid = Type.String({ format: 'uuid' });

export const ProjectSchema = Type.Object(
  {
    id: Type.Integer(),
    name: Type.String(),
    organization: Uuid,
    api_token: Type.String({ description: 'The project key, phc_…, that capture accepts.' }),
    timezone: Type.String({
      description: 'Dates without an offset are read, and days are cut, in this zone.',
    }),
    created_at: Type.String({ format: 'date-time' }),
  },
  { title: 'Project' },
);

export const OrganizationSchema = Type.Object(
  {
    id: Uuid,
    name: Type.String(),
    created_at: Type.String({ format: 'date-time' }),
    membership_level: Type.Integer({ description: '1 member, 8 administrator, 15 owner' }),
  },
  { title: 'Organization' },
);

export const MeSchema = Type.Object({
  ...UserSchema.properties,
  team: Maybe(ProjectSchema),
  organization: Maybe(OrganizationSchema),
  organizations: Type.Array(OrganizationSchema),
});

interface ProjectRow {
  readonly id: number;
  readonly name: string;
  readonly organization_id: string;
  readonly api_token: string;
  readonly timezone: string;
  readonly created_at: Date;
}

export const describeProject = (row: ProjectRow) => ({
  id: row.id,
  name: row.name,
  organization: row.organization_id,
  api_token: row.api_token,
  timezone: row.timezone,
  created_at: formatTimestamp(row.created_at),
});

/** What the caller belongs to and the key may see, oldest first. */
export async function organizationsOf(db: Db, caller: Caller) {
  const rows = await listOrganizations(db, caller.userId);
  return rows
    .filter((row) => caller.scopedOrganizations === null || caller.scopedOrganizations.includes(row.id))
    .map((row) => ({
      id: row.id,
      name: row.name,
      created_at: formatTimestamp(row.created_at),
      membership_level: row.level,
    }));
}

/** One the caller belongs to; `@current` is the current project's. Others do not exist for the caller. */
export async function organizationOf(db: Db, caller: Caller, reference: string | undefined) {
  const id = reference === '@current' ? await currentOrganizationId(db, caller) : reference;
  const mine = await listOrganizations(db, caller.userId);
  if (mine.some((organization) => organization.id === id)) requireOrganization(caller, String(id));
  const found = (await organizationsOf(db, caller)).find((organization) => organization.id === id);
  if (!found) throw new SluiceError('not_found');
  return found;
}

async function currentOrganizationId(db: Db, caller: Caller): Promise<string | null> {
  if (caller.currentProjectId === null) return null;
  return (await findProject(db, caller.currentProjectId, caller.userId))?.organization_id ?? null;
}

/** Undefined for one that the caller has left or the key may not enter. */
async function currentProjectOf(db: Db, caller: Caller, organizations: readonly { readonly id: string }[]) {
  const { currentProjectId: id, scopedProjects } = caller;
  if (id === null || (scopedProjects !== null && !scopedProjects.includes(id))) return undefined;
  const row = await findProject(db, id, caller.userId);
  return organizations.some((organization) => organization.id === row?.organization_id) ? row : undefined;
}

/** The caller; a key limited to other projects is not told of the current one. */
export async function describeMe(db: Db, caller: Caller) {
  const user = await findUser(db, caller.userId);
  if (!user) throw new SluiceError('not_found');
  const organizations = await organizationsOf(db, caller);
  const project = await currentProjectOf(db, caller, organizations);
  const organization =
    organizations.find(({ id }) => id === project?.organization_id) ?? organizations[0] ?? null;
  return { ...toUser(user), team: project ? describeProject(project) : null, organization, organizations };
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

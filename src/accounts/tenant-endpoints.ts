import { Type } from 'typebox';
import { SluiceError } from '../errors/error.ts';
import { requireUnlimited } from '../http/authorization.ts';
import { type Caller, type Endpoint, endpoint } from '../http/endpoint.ts';
import type { Accounts } from './accounts.ts';
import { OrganizationSchema } from './endpoints.ts';
import { requireAdministrator } from './levels.ts';
import { organizationOf } from './organizations.ts';
import { describeProject, ProjectSchema } from './projects.ts';
import { type Db, findProject } from './store.ts';

const shared = { area: 'api', method: 'POST', tag: 'accounts' } as const;

/** New tenants (contract.md §1.7). They answer in the shape of the GETs beside them. */
export function tenantEndpoints(
  db: Db,
  accounts: Pick<Accounts, 'createOrganization' | 'createProject'>,
): readonly Endpoint[] {
  return [
    endpoint({
      ...shared,
      path: '/organizations',
      operationId: 'organizations_create',
      summary: 'Make an organization, without projects. The caller becomes its owner.',
      scope: 'organization:write',
      unlimited: true,
      body: Type.Object({ name: Type.String({ minLength: 1, maxLength: 64 }) }),
      response: { 201: OrganizationSchema },
      handler: async ({ caller, body }) => {
        const id = await accounts.createOrganization({ name: body.name, userId: caller.userId });
        return { status: 201, body: await organizationOf(db, caller, id) };
      },
    }),
    endpoint({
      ...shared,
      path: '/organizations/:organization_id/projects',
      operationId: 'organizations_projects_create',
      summary: 'Make a project. For administrators of the organization.',
      scope: 'project:write',
      body: Type.Object({
        name: Type.String({ minLength: 1, maxLength: 200 }),
        timezone: Type.Optional(Type.String({ minLength: 1, description: 'IANA name. Default: UTC.' })),
      }),
      response: { 201: ProjectSchema },
      requireObject: ({ caller, params }) => requirePlace(db, caller, params.organization_id),
      handler: async ({ caller, params, body }) => {
        const organizationId = await requirePlace(db, caller, params.organization_id);
        const { name, timezone } = body;
        const id = await accounts.createProject({
          organizationId,
          name,
          ...(timezone !== undefined && { timezone }),
          userId: caller.userId,
        });
        const row = await findProject(db, id, caller.userId);
        if (!row) throw new SluiceError('not_found');
        return { status: 201, body: describeProject(row) };
      },
    }),
  ];
}

/**
 * The id of an organization in which the caller may make projects. A key limited to the organization may, one limited
 * to projects may not: it could not enter the new one. Throws `not_found`, `permission_denied`.
 */
async function requirePlace(db: Db, caller: Caller, reference: string | undefined): Promise<string> {
  const { id } = await organizationOf(db, caller, reference);
  if (caller.scopedProjects !== null) requireUnlimited(caller);
  await requireAdministrator(db, caller.userId, id);
  return id;
}

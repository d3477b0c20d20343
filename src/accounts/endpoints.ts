import { type TSchema, Type } from 'typebox';
import { SluiceError } from '../errors/error.ts';
import { type Caller, type Endpoint, endpoint } from '../http/endpoint.ts';
import { limitOffsetQuery, listPage, pageSchema } from '../http/pagination.ts';
import type { Logins } from './login.ts';
import { organizationOf, organizationsOf } from './organizations.ts';
import { describeProject, ProjectSchema } from './projects.ts';
import { type Db, findProject, findUser, listProjects } from './store.ts';
import { toUser, UserSchema } from './user.ts';

const Maybe = (schema: TSchema) => Type.Union([schema, Type.Null()]);
const Uuid = Type.String({ format: 'uuid' });

export const OrganizationSchema = Type.Object(
  {
    id: Uuid,
    name: Type.String(),
    created_at: Type.String({ format: 'date-time' }),
    membership_level: Type.Integer({ description: '1 member, 8 administrator, 15 owner' }),
  },
  { title: 'Organization' },
);

const MeSchema = Type.Object({
  ...UserSchema.properties,
  team: Maybe(ProjectSchema),
  organization: Maybe(OrganizationSchema),
  organizations: Type.Array(OrganizationSchema),
});

const KeySchema = Type.Object({
  scopes: Type.Array(Type.String()),
  scoped_teams: Type.Array(Type.Integer()),
  scoped_organizations: Type.Array(Uuid),
});

/** What real clients ask before anything else (contract.md §1.7). */
export function accountsEndpoints(db: Db, logins: Pick<Logins, 'setPassword'>): readonly Endpoint[] {
  return [
    {
      method: 'GET',
      area: 'api',
      path: '/users/@me',
      operationId: 'users_me_retrieve',
      summary: 'Who am I?',
      tag: 'accounts',
      scope: null,
      response: { 200: MeSchema },
      handler: async ({ caller }) => ({ status: 200, body: await describeMe(db, caller) }),
    },
    endpoint({
      method: 'PATCH',
      area: 'api',
      path: '/users/@me',
      operationId: 'users_me_partial_update',
      summary: 'Set my password. It ends every other session of mine.',
      tag: 'accounts',
      // As for keys: a narrower key could otherwise make itself a session, which may do everything.
      scope: '*',
      unlimited: true,
      body: Type.Object({
        password: Type.Optional(Type.String({ maxLength: 1000, 'x-verbatim': true })),
        current_password: Type.Optional(
          Type.String({ maxLength: 1000, 'x-verbatim': true, description: 'Needed when there is one.' }),
        ),
      }),
      response: { 200: MeSchema },
      handler: async ({ caller, body, ip }) => {
        if (body.password !== undefined) {
          await logins.setPassword({
            userId: caller.userId,
            password: body.password,
            proof: { current: body.current_password, ip },
            keep: caller.sessionId,
          });
        }
        return { status: 200, body: await describeMe(db, caller) };
      },
    }),
    {
      method: 'GET',
      area: 'api',
      path: '/personal_api_keys/@current',
      operationId: 'personal_api_keys_current_retrieve',
      summary: 'What may this key do?',
      tag: 'accounts',
      scope: null,
      response: { 200: KeySchema },
      handler: async ({ caller }) => ({
        status: 200,
        body: {
          scopes: caller.scopes,
          scoped_teams: caller.scopedProjects ?? [],
          scoped_organizations: caller.scopedOrganizations ?? [],
        },
      }),
    },
    {
      method: 'GET',
      area: 'api',
      path: '/organizations',
      operationId: 'organizations_list',
      summary: 'Organizations the caller belongs to.',
      tag: 'accounts',
      scope: 'organization:read',
      query: Type.Object(limitOffsetQuery),
      response: { 200: pageSchema(OrganizationSchema) },
      handler: async ({ caller, url }) => ({
        status: 200,
        body: await listPage(url, await organizationsOf(db, caller)),
      }),
    },
    {
      method: 'GET',
      area: 'api',
      path: '/organizations/:organization_id',
      operationId: 'organizations_retrieve',
      summary: 'One organization.',
      tag: 'accounts',
      scope: 'organization:read',
      response: { 200: OrganizationSchema },
      handler: async ({ caller, params }) => ({
        status: 200,
        body: await organizationOf(db, caller, params.organization_id),
      }),
    },
    {
      method: 'GET',
      area: 'api',
      path: '/organizations/:organization_id/projects',
      operationId: 'organizations_projects_list',
      summary: 'Projects of an organization.',
      tag: 'accounts',
      scope: 'project:read',
      query: Type.Object(limitOffsetQuery),
      response: { 200: pageSchema(ProjectSchema) },
      handler: async ({ caller, params, url }) => {
        const { id } = await organizationOf(db, caller, params.organization_id);
        const projects = (await listProjects(db, id)).filter(
          (project) => caller.scopedProjects === null || caller.scopedProjects.includes(project.id),
        );
        return { status: 200, body: await listPage(url, projects.map(describeProject)) };
      },
    },
    {
      method: 'GET',
      area: 'project',
      path: '',
      operationId: 'projects_retrieve',
      summary: 'One project.',
      tag: 'accounts',
      scope: 'project:read',
      response: { 200: ProjectSchema },
      handler: async ({ caller, project }) => {
        const row = await findProject(db, project.id, caller.userId);
        if (!row) throw new SluiceError('not_found');
        return { status: 200, body: describeProject(row) };
      },
    },
  ];
}

/** Undefined for one that the caller has left or the key may not enter. */
async function currentProjectOf(db: Db, caller: Caller, organizations: readonly { readonly id: string }[]) {
  const { currentProjectId: id, scopedProjects } = caller;
  if (id === null || (scopedProjects !== null && !scopedProjects.includes(id))) return undefined;
  const row = await findProject(db, id, caller.userId);
  return organizations.some((organization) => organization.id === row?.organization_id) ? row : undefined;
}

/** A key limited to other projects is not told of the current one. */
async function describeMe(db: Db, caller: Caller) {
  const user = await findUser(db, caller.userId);
  if (!user) throw new SluiceError('not_found');
  const organizations = await organizationsOf(db, caller);
  const project = await currentProjectOf(db, caller, organizations);
  const organization =
    organizations.find(({ id }) => id === project?.organization_id) ?? organizations[0] ?? null;
  return { ...toUser(user), team: project ? describeProject(project) : null, organization, organizations };
}

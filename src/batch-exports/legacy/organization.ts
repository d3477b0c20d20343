import { Type } from 'typebox';
import { SluiceError } from '../../errors/error.ts';
import { type Endpoint, type EndpointRequest, endpoint, type Project } from '../../http/endpoint.ts';
import { limitOffsetPage, limitOffsetQuery, pageSchema } from '../../http/pagination.ts';
import { listExports } from '../list.ts';
import type { ResourcePorts } from '../ports.ts';
import { READ, TAG } from '../routes.ts';
import { BatchExportSchema } from '../schema.ts';
import { readId } from '../store.ts';

const PREFIX = '/organizations/:organization_id';
const ALL = '/batch_exports';

/**
 * The old addresses below an organization (contract.md §14): the endpoints of a project, with the project found by the export;
 * where there is none yet, it is the caller's current one. The list is over all projects that the caller may see.
 */
export function organizationEndpoints(ports: ResourcePorts, own: readonly Endpoint[]): Endpoint[] {
  const aliases = own
    .filter(({ path, method }) => path.startsWith(ALL) && !(path === ALL && method === 'GET'))
    .filter(({ path }) => !/\/(?:runs|backfills)(?:\/|$)/.test(path))
    .map((each): Endpoint => aliasOf(ports, each));
  return [listOf(ports), ...aliases];
}

function aliasOf(ports: ResourcePorts, own: Endpoint): Endpoint {
  const projectFor = async ({ caller, params }: Pick<EndpointRequest, 'caller' | 'params'>) => {
    const projects = await ports.projectsOf(caller, params.organization_id);
    const project = own.path.includes('/:id')
      ? await projectOfExport(ports, projects, params.id)
      : projects.find(({ id }) => id === caller.currentProjectId);
    if (project) return project;
    throw new SluiceError('not_found');
  };
  return {
    ...own,
    area: 'api',
    path: PREFIX + own.path,
    operationId: `organizations_${own.operationId}`,
    hidden: true,
    requireObject: async ({ caller, params }) =>
      own.requireObject?.({ caller, params, project: await projectFor({ caller, params }) }),
    handler: async (request) => {
      const project = await projectFor(request);
      // The prototype keeps what the request makes on demand.
      return own.handler(Object.create(request, { project: { value: project } }) as EndpointRequest);
    },
  };
}

async function projectOfExport(
  { db }: ResourcePorts,
  projects: readonly Project[],
  id: string | undefined,
): Promise<Project | undefined> {
  const row = await db
    .selectFrom('batch_exports')
    .select('team_id')
    .where('id', '=', readId(id))
    .executeTakeFirst();
  return projects.find((project) => project.id === row?.team_id);
}

const listOf = (ports: ResourcePorts): Endpoint =>
  endpoint({
    tag: TAG,
    area: 'api',
    method: 'GET',
    path: PREFIX + ALL,
    operationId: 'organizations_batch_exports_list',
    summary: 'List batch exports of all projects, newest first',
    scope: READ,
    hidden: true,
    query: Type.Object({ ...limitOffsetQuery }),
    response: { 200: pageSchema(BatchExportSchema) },
    handler: async ({ caller, params, url }) => {
      const projects = await ports.projectsOf(caller, params.organization_id);
      const ids = projects.map(({ id }) => id);
      return {
        status: 200,
        body: await limitOffsetPage(url, (window) => listExports(ports.db, ids, window)),
      };
    },
  });

import { Type } from 'typebox';
import type { PluginConfigRow } from '../../database/tables.ts';
import { actorOf } from '../../http/actor.ts';
import { type Endpoint, type EndpointRequest, endpoint } from '../../http/endpoint.ts';
import { limitOffsetPage, limitOffsetQuery, pageSchema } from '../../http/pagination.ts';
import type { ApiPorts } from '../api-ports.ts';
import { deliveryRates } from './delivery-rate.ts';
import { PluginConfigSchema, presentConfig } from './present.ts';
import { ChangeBody, CreateBody } from './schema.ts';
import { changeConfig, createConfig, removeConfig } from './service.ts';
import { findConfig, listConfigs, liveErrors } from './store.ts';

type Of = Pick<EndpointRequest, 'caller' | 'project'>;

/** Apps of a project: which, to where, and whether they are on. */
export function pluginConfigEndpoints(ports: ApiPorts): Endpoint[] {
  const common = { area: 'project', tag: 'Plugin configs' } as const;
  const [read, write] = [{ scope: 'plugin:read' }, { scope: 'plugin:write' }] as const;
  const one = '/plugin_configs/:id';

  const present = async ({ caller, project }: Of, rows: readonly PluginConfigRow[]) => {
    const ids = rows.map(({ id }) => id);
    const [organization, rates, errors] = await Promise.all([
      ports.organizationOf(caller, project.organizationId),
      // Apps can be looked at and turned off while the warehouse is down.
      deliveryRates(ports.warehouse, project.id, ids, ports.clock.now()).catch(() => null),
      liveErrors(ports.db, ids),
    ]);
    return rows.map((row) => presentConfig(ports, row, { organization, rates, errors }));
  };
  const presentOne = async (request: Of, row: PluginConfigRow) => (await present(request, [row]))[0];

  return [
    endpoint({
      ...common,
      ...read,
      method: 'GET',
      path: '/plugin_configs',
      operationId: 'plugin_configs_list',
      summary: 'The project’s apps, in their order',
      query: Type.Object(limitOffsetQuery),
      response: { 200: pageSchema(PluginConfigSchema) },
      handler: async (request) => ({
        status: 200,
        body: await limitOffsetPage(request.url, async (window) => {
          const { count, rows } = await listConfigs(ports.db, request.project.id, window);
          return { count, items: await present(request, rows) };
        }),
      }),
    }),
    endpoint({
      ...common,
      ...write,
      method: 'POST',
      path: '/plugin_configs',
      operationId: 'plugin_configs_create',
      summary: 'Set up an app',
      body: CreateBody,
      response: { 201: PluginConfigSchema },
      handler: async (request) => ({
        status: 201,
        body: await presentOne(request, await createConfig(ports, actorOf(request), request.body)),
      }),
    }),
    endpoint({
      ...common,
      ...read,
      method: 'GET',
      path: one,
      operationId: 'plugin_configs_retrieve',
      summary: 'One app of the project, without its secrets',
      response: { 200: PluginConfigSchema },
      handler: async (request) => ({
        status: 200,
        body: await presentOne(request, await findConfig(ports.db, request.project.id, request.params.id)),
      }),
    }),
    endpoint({
      ...common,
      ...write,
      method: 'PATCH',
      path: one,
      operationId: 'plugin_configs_partial_update',
      summary: 'Change an app, turn it on or off',
      body: ChangeBody,
      requireObject: ({ project, params }) => findConfig(ports.db, project.id, params.id),
      response: { 200: PluginConfigSchema },
      handler: async (request) => ({
        status: 200,
        body: await presentOne(
          request,
          await changeConfig(ports, actorOf(request), request.params.id, request.body),
        ),
      }),
    }),
    endpoint({
      ...common,
      ...write,
      method: 'DELETE',
      path: one,
      operationId: 'plugin_configs_destroy',
      summary: 'Remove an app from the project; its metrics stay',
      response: { 204: null },
      handler: async (request) => {
        await removeConfig(ports, actorOf(request), request.params.id);
        return { status: 204 };
      },
    }),
  ];
}

import { Type } from 'typebox';
import { SluiceError } from '../../errors/error.ts';
import { type Endpoint, endpoint } from '../../http/endpoint.ts';
import { limitOffsetQuery, listPage, pageSchema } from '../../http/pagination.ts';
import type { ApiPorts } from '../api-ports.ts';
import { PluginSchema, presentPlugin } from './present.ts';

/** The catalogue: the same apps for every organization. */
export function pluginEndpoints({
  apps,
  organizationOf,
}: Pick<ApiPorts, 'apps' | 'organizationOf'>): Endpoint[] {
  const common = { method: 'GET', area: 'api', tag: 'Plugins', scope: 'plugin:read' } as const;
  return [
    endpoint({
      ...common,
      path: '/organizations/:organization_id/plugins',
      operationId: 'plugins_list',
      summary: 'Apps that can be turned on',
      query: Type.Object(limitOffsetQuery),
      response: { 200: pageSchema(PluginSchema) },
      handler: async ({ caller, params, url }) => {
        const organization = await organizationOf(caller, params.organization_id ?? '');
        const shown = [...apps.values()].map((app) => presentPlugin(app, organization));
        return { status: 200, body: await listPage(url, shown) };
      },
    }),
    endpoint({
      ...common,
      path: '/organizations/:organization_id/plugins/:id',
      operationId: 'plugins_retrieve',
      summary: 'One app',
      response: { 200: PluginSchema },
      handler: async ({ caller, params }) => {
        const organization = await organizationOf(caller, params.organization_id ?? '');
        const app = /^\d{1,10}$/.test(params.id ?? '') ? apps.get(Number(params.id)) : undefined;
        if (!app) throw new SluiceError('not_found');
        return { status: 200, body: presentPlugin(app, organization) };
      },
    }),
  ];
}

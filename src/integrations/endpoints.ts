import { type TSchema, Type } from 'typebox';
import { SluiceError } from '../errors/error.ts';
import { actorOf } from '../http/actor.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { limitOffsetPage, limitOffsetQuery, pageSchema } from '../http/pagination.ts';
import { formatTimestamp } from '../http/timestamps.ts';
import { createIntegration, type IntegrationPorts, removeIntegration } from './integrations.ts';
import { kinds } from './kinds.ts';
import { findIntegration, type IntegrationRow, listIntegrations } from './store.ts';

/** How people are shown: `accounts` knows. */
export interface People {
  readonly schema: TSchema;
  readonly users: (ids: readonly number[]) => Promise<ReadonlyMap<number, unknown>>;
}

const Kind = Type.Union([...kinds.keys()].map((name) => Type.Literal(name)));

/** Stored credentials (contract.md §10). What is secret goes in and never comes out. */
export function integrationsEndpoints(ports: IntegrationPorts, people: People): readonly Endpoint[] {
  const schema = integrationSchema(people.schema);
  const present = async (rows: readonly IntegrationRow[]) => {
    const users = await people.users(rows.flatMap((row) => row.created_by ?? []));
    return rows.map((row) => presentIntegration(row, users.get(row.created_by ?? 0) ?? null));
  };
  const shared = { area: 'project', tag: 'integrations' } as const;
  return [
    endpoint({
      ...shared,
      method: 'GET',
      path: '/integrations',
      operationId: 'integrations_list',
      summary: 'Stored credentials, oldest first.',
      scope: 'integration:read',
      query: Type.Object({ ...limitOffsetQuery, kind: Type.Optional(Type.String()) }),
      response: { 200: pageSchema(schema) },
      handler: async ({ project, query, url }) => {
        const page = await limitOffsetPage(url, async (window) => {
          const kind = query.kind || undefined;
          const { count, rows } = await listIntegrations(ports.db, { teamId: project.id, kind, ...window });
          return { count, items: await present(rows) };
        });
        return { status: 200, body: page };
      },
    }),
    endpoint({
      ...shared,
      method: 'POST',
      path: '/integrations',
      operationId: 'integrations_create',
      summary: 'Store credentials.',
      scope: 'integration:write',
      body: Type.Object({ kind: Kind, config: Type.Optional(Type.Record(Type.String(), Type.Unknown())) }),
      response: { 201: schema },
      handler: async (request) => {
        const row = await createIntegration(ports, actorOf(request), request.body);
        return { status: 201, body: (await present([row]))[0] };
      },
    }),
    endpoint({
      ...shared,
      method: 'GET',
      path: '/integrations/:id',
      operationId: 'integrations_retrieve',
      summary: 'One integration, without its secrets.',
      scope: 'integration:read',
      response: { 200: schema },
      handler: async ({ project, params }) => {
        const row = await findIntegration(ports.db, project.id, idOf(params.id));
        if (!row) throw new SluiceError('not_found');
        return { status: 200, body: (await present([row]))[0] };
      },
    }),
    endpoint({
      ...shared,
      method: 'DELETE',
      path: '/integrations/:id',
      operationId: 'integrations_destroy',
      summary: 'Forget credentials. Refused while a batch export uses them.',
      scope: 'integration:write',
      response: { 204: null },
      handler: async (request) => {
        await removeIntegration(ports, actorOf(request), idOf(request.params.id));
        return { status: 204 };
      },
    }),
  ];
}

/** What is no number is no integration either: `findIntegration` knows none with 0. */
const idOf = (text: string | undefined): number => (/^\d{1,10}$/.test(text ?? '') ? Number(text) : 0);

const integrationSchema = (user: TSchema) =>
  Type.Object(
    {
      id: Type.Integer(),
      kind: Kind,
      config: Type.Record(Type.String(), Type.Unknown()),
      created_at: Type.String({ format: 'date-time' }),
      created_by: Type.Union([user, Type.Null()]),
      errors: Type.String(),
      display_name: Type.String(),
      files_write_requestable: Type.Boolean(),
      installation_shared: Type.Null(),
      installation_status: Type.Null(),
    },
    { title: 'Integration' },
  );

const presentIntegration = (row: IntegrationRow, createdBy: unknown) => ({
  id: row.id,
  kind: row.kind,
  config: row.config,
  created_at: formatTimestamp(row.created_at),
  created_by: createdBy,
  errors: row.errors,
  display_name: kinds.get(row.kind)?.displayName(row.config) ?? `ID: ${row.identity}`,
  files_write_requestable: false,
  installation_shared: null,
  installation_status: null,
});

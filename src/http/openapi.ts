import swagger from '@fastify/swagger';
import Fastify, { type FastifyInstance, type FastifySchema } from 'fastify';
import { type TSchema, Type } from 'typebox';
import { type Json, nameSchemas } from './components.ts';
import type { Description } from './description.ts';
import type { DescribedEndpoint } from './endpoint.ts';
import { EnvelopeSchema } from './envelope.ts';
import { NO_COMPILERS } from './no-compilers.ts';
import { placesOf } from './routes.ts';

/** Not `Error`: in a generated client that would hide the language's own. */
const ERROR_ID = 'ErrorEnvelope';

/**
 * Describes the endpoints by the very schemas that their requests are checked by. The generator wants routes of
 * its own kind: they are of a server that never listens.
 */
export async function describeApi(
  endpoints: readonly DescribedEndpoint[],
  version: string,
): Promise<Description> {
  const app = Fastify({ schemaController: NO_COMPILERS });
  app.addSchema({ ...EnvelopeSchema, $id: ERROR_ID });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Sluice',
        version,
        description:
          'Batch exports of product-analytics events. Every error is an object of type, code, detail and attr.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: '/', description: 'The server that gave you this description.' }],
      components: {
        securitySchemes: {
          PersonalAPIKeyAuth: {
            type: 'http',
            scheme: 'bearer',
            description: 'A personal API key, phx_…',
          },
          SessionCookieAuth: {
            type: 'apiKey',
            in: 'cookie',
            name: 'sessionid',
            description: 'A browser that logged in. Methods other than GET need the header X-CSRFToken.',
          },
        },
      },
    },
    refResolver: { buildLocalReference: (json) => String(json.$id ?? json.title ?? 'Schema') },
    transformObject: (described) => ('openapiObject' in described ? finished(described.openapiObject) : {}),
  });
  for (const endpoint of endpoints) {
    for (const { url, operationId } of placesOf(endpoint)) {
      const schema = describeEndpoint(endpoint, url, operationId);
      app.route({ method: endpoint.method, url, schema, handler: async () => undefined });
    }
  }
  await app.ready();
  return { json: JSON.stringify(app.swagger()), yaml: app.swagger({ yaml: true }) };
}

interface Parts {
  readonly paths?: unknown;
  readonly components?: { readonly schemas?: object };
}

type Document = ReturnType<FastifyInstance['swagger']>;

function finished(document: Parts): Document {
  const { paths, schemas } = nameSchemas(document.paths as Json);
  const components = { ...document.components, schemas: { ...document.components?.schemas, ...schemas } };
  return { ...document, paths, components } as Document;
}

/** The route schema of an endpoint: it documents; validation.ts validates from the same schemas. */
function describeEndpoint(endpoint: DescribedEndpoint, url: string, operationId: string): FastifySchema {
  const names = [...url.matchAll(/:(\w+)/g)].map((match) => match[1] ?? '');
  const params = Type.Object(
    Object.fromEntries(names.map((name) => [name, paramSchema(endpoint.params, name)])),
  );
  return {
    operationId,
    summary: endpoint.summary,
    tags: [endpoint.tag],
    ...(names.length > 0 ? { params } : {}),
    ...(endpoint.query ? { querystring: endpoint.query } : {}),
    ...(endpoint.body ? { body: endpoint.body } : {}),
    response: describeResponses(endpoint, names.length > 0),
    security:
      endpoint.scope === 'public'
        ? []
        : [{ PersonalAPIKeyAuth: endpoint.scope ? [endpoint.scope] : [] }, { SessionCookieAuth: [] }],
  };
}

function paramSchema(params: TSchema | undefined, name: string): TSchema {
  const declared = (params as { properties?: Record<string, TSchema> } | undefined)?.properties?.[name];
  if (declared) return declared;
  if (name === 'project_id') return Type.String({ description: 'The project’s number, or `@current`.' });
  return Type.String();
}

/** What may go wrong, besides what `4xx` stands for. */
const REFUSALS = {
  400: 'Something in the request is missing or wrong; `attr` names it.',
  401: 'The request has no credentials, or wrong ones.',
  403: 'The key has not got the scope, or may not enter the project.',
  404: 'There is no such thing in this project.',
  '4xx': 'The request was refused.',
} as const;

function describeResponses(endpoint: DescribedEndpoint, hasParams: boolean): Record<string, unknown> {
  const successes = Object.entries(endpoint.response).map(([status, schema]) => [
    status,
    schema === null
      ? { type: 'null', ...(status === '302' ? ELSEWHERE : { description: 'Empty.' }) }
      : { description: descriptionOf(schema), content: { [mediaTypeOf(schema)]: { schema } } },
  ]);
  const refusals = Object.entries(REFUSALS)
    .filter(([status]) => isPossible(endpoint, status, hasParams))
    .map(([status, description]) => [
      status,
      { description, content: { 'application/json': { schema: { $ref: `${ERROR_ID}#` } } } },
    ]);
  return { ...Object.fromEntries(successes), ...Object.fromEntries(refusals) };
}

const ELSEWHERE = {
  description: 'Go to `Location`.',
  headers: { Location: { type: 'string', format: 'uri', description: 'Good for a while.' } },
};

function isPossible(endpoint: DescribedEndpoint, status: string, hasParams: boolean): boolean {
  if (status === '400') return endpoint.body !== undefined || endpoint.query !== undefined;
  if (status === '401' || status === '403') return endpoint.scope !== 'public';
  return status !== '404' || hasParams;
}

const descriptionOf = (schema: TSchema): string =>
  (schema as { description?: string }).description ?? 'Success.';

/** JSON, unless the schema says otherwise in `contentMediaType`. */
const mediaTypeOf = (schema: TSchema): string =>
  (schema as { contentMediaType?: string }).contentMediaType ?? 'application/json';

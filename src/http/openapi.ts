import swagger from '@fastify/swagger';
import type { FastifyInstance, FastifySchema } from 'fastify';
import { type TSchema, Type } from 'typebox';
import type { Endpoint } from './endpoint.ts';
import { EnvelopeSchema } from './envelope.ts';

const ERROR_ID = 'Error';

/** Registers the generator of the API description; routes added later are described by their schemas. */
export async function installOpenApi(app: FastifyInstance, version: string): Promise<void> {
  app.addSchema({ ...EnvelopeSchema, $id: ERROR_ID });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Sluice',
        version,
        description:
          'Batch exports of product-analytics events. Every error is an object of type, code, detail and attr.',
      },
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
  });
}

/** The route schema of an endpoint: it documents; validation.ts validates from the same schemas. */
export function describeEndpoint(endpoint: Endpoint, url: string, operationId: string): FastifySchema {
  if (endpoint.hidden) return { hide: true };
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
    response: describeResponses(endpoint),
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

function describeResponses(endpoint: Endpoint): Record<string, unknown> {
  const error = { description: 'The request was refused.', $ref: `${ERROR_ID}#` };
  const responses = Object.entries(endpoint.response).map(([status, schema]) => [
    status,
    schema === null ? { type: 'null', description: 'Empty.' } : { description: 'Success.', ...schema },
  ]);
  return { ...Object.fromEntries(responses), '4xx': error };
}

import type { Registry } from 'prom-client';
import { Type } from 'typebox';
import { SluiceError } from '../errors/error.ts';
import type { Description } from './description.ts';
import type { Endpoint, EndpointRequest } from './endpoint.ts';

/** Name of a part → whether it works. */
export type Readiness = Readonly<Record<string, boolean>>;

interface Parts {
  readonly readiness: () => Promise<Readiness>;
  readonly metrics: Registry;
  readonly openapi: () => Promise<Description>;
}

const HealthSchema = Type.Object({ status: Type.Literal('ok') });

/** Health, metrics and the API description: public, as monitors and client generators expect. */
export function systemEndpoints({ readiness, metrics, openapi }: Parts): readonly Endpoint[] {
  return [
    {
      method: 'GET',
      area: 'root',
      path: '/livez',
      operationId: 'livez',
      summary: 'The process answers.',
      tag: 'system',
      scope: 'public',
      hidden: true,
      response: { 200: HealthSchema },
      handler: async () => ({ status: 200, body: { status: 'ok' } }),
    },
    {
      method: 'GET',
      area: 'root',
      path: '/readyz',
      operationId: 'readyz',
      summary: 'Everything it needs answers, too.',
      tag: 'system',
      scope: 'public',
      hidden: true,
      response: { 200: HealthSchema },
      handler: async () => {
        const parts = await readiness();
        const failing = Object.keys(parts).filter((name) => !parts[name]);
        if (failing.length === 0) return { status: 200, body: { status: 'ok' } };
        throw new SluiceError('unavailable', { detail: `Not ready: ${failing.join(', ')}.`, retryAfter: 1 });
      },
    },
    {
      method: 'GET',
      area: 'root',
      path: '/metrics',
      operationId: 'metrics',
      summary: 'Figures for Prometheus.',
      tag: 'system',
      scope: 'public',
      hidden: true,
      response: { 200: Type.String() },
      handler: async () => ({
        status: 200,
        body: await metrics.metrics(),
        headers: { 'content-type': metrics.contentType },
      }),
    },
    described({
      path: '/schema',
      operationId: 'schema_retrieve',
      query: Type.Object({ format: Type.Optional(Type.String({ description: '`json` or `yaml`' })) }),
      isJson: ({ query, headers }) => query.format === 'json' || (!query.format && wantsJson(headers.accept)),
    }),
    described({ path: '/schema.json', operationId: 'schema_json', hidden: true, isJson: () => true }),
    described({ path: '/schema.yaml', operationId: 'schema_yaml', hidden: true, isJson: () => false }),
  ];

  function described(
    own: Pick<Endpoint, 'path' | 'operationId' | 'query' | 'hidden'> & {
      isJson(request: EndpointRequest): boolean;
    },
  ): Endpoint {
    const { isJson, ...rest } = own;
    return {
      ...rest,
      method: 'GET',
      area: 'api',
      summary: 'This description: YAML, or JSON with `?format=json`.',
      tag: 'system',
      scope: 'public',
      response: { 200: Type.String({ contentMediaType: 'application/yaml' }) },
      handler: async (request) => {
        const description = await openapi();
        return isJson(request)
          ? { status: 200, body: description.json, headers: JSON_TYPE }
          : { status: 200, body: description.yaml, headers: YAML_TYPE };
      },
    };
  }
}

const JSON_TYPE = { 'content-type': 'application/json' };
const YAML_TYPE = { 'content-type': 'application/yaml; charset=utf-8' };

/** Asks for JSON by name and not for YAML. `*` alone gets YAML, what client generators download. */
const wantsJson = (accept = '') => accept.includes('json') && !accept.includes('yaml');

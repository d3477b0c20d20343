import { join } from 'node:path';
import { generate } from 'openapi-typescript-codegen';
import { type Client, camel, Refused } from './client.ts';

type Method = (options: Readonly<Record<string, unknown>>) => Promise<unknown>;
interface Settings {
  BASE: string;
  TOKEN: string;
}

/** A client that openapi-typescript-codegen makes of the served description: a class per tag. */
export async function typescriptCodegen(
  server: { readonly url: string; readonly key: string },
  description: string,
  folder: string,
): Promise<Client> {
  const output = join(folder, 'codegen');
  await generate({
    input: description,
    output,
    httpClient: 'fetch',
    useOptions: true,
    useUnionTypes: true,
  });
  const api = (await import(/* @vite-ignore */ join(output, 'index.ts'))) as Readonly<
    Record<string, unknown>
  >;
  Object.assign(api.OpenAPI as Settings, { BASE: server.url, TOKEN: server.key } satisfies Settings);
  const services = Object.entries(api)
    .filter(([name]) => name.endsWith('Service'))
    .map(([, service]) => service as Readonly<Record<string, Method>>);
  return {
    call: async (operationId, { path = {}, query = {}, body } = {}) => {
      const name = camel(operationId);
      const service = services.find((each) => name in each);
      if (!service) throw new Error(`openapi-typescript-codegen made no ${name}.`);
      const options = Object.entries({ ...path, ...query }).map(([key, value]) => [camel(key), value]);
      try {
        return await service[name]?.({ ...Object.fromEntries(options), requestBody: body });
      } catch (error) {
        const { status, body: envelope } = error as { status?: number; body?: unknown };
        throw status === undefined ? error : new Refused(status, envelope);
      }
    },
  };
}

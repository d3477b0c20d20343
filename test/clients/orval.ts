import { join } from 'node:path';
import { generate } from 'orval';
import { type Client, camel, type Described, Refused } from './client.ts';

type Answer = { readonly status: number; readonly data: unknown };
type Call = (...given: unknown[]) => Promise<Answer>;

/** A client that orval makes of the served description: a function per operation on `fetch`. */
export async function orval(
  server: { readonly url: string; readonly key: string },
  description: string,
  folder: string,
  operations: ReadonlyMap<string, Described>,
): Promise<Client> {
  const target = join(folder, 'orval.ts');
  await generate({ input: description, output: { target, client: 'fetch', baseUrl: server.url } }, folder);
  const api = (await import(/* @vite-ignore */ target)) as Readonly<Record<string, Call>>;
  const options = { headers: { Authorization: `Bearer ${server.key}` } };
  return {
    call: async (operationId, { path = {}, query = {}, body } = {}) => {
      const operation = operations.get(operationId);
      const call = api[camel(operationId)];
      if (!operation || !call) throw new Error(`orval made no ${camel(operationId)}.`);
      const { status, data } = await call(
        ...operation.pathNames.map((name) => path[name]),
        ...(operation.takesBody ? [body] : []),
        ...(operation.takesQuery ? [query] : []),
        options,
      );
      if (status >= 400) throw new Refused(status, data);
      return data;
    },
  };
}

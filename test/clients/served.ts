import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Described } from './client.ts';

interface RawOperation {
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: unknown;
}

export interface Served {
  /** The YAML in a file, as generators get it. */
  readonly file: string;
  readonly operations: ReadonlyMap<string, Described>;
}

/** What a running server says about itself: YAML to a file in `folder`, and its operations by id. */
export async function readServed(url: string, folder: string): Promise<Served> {
  const file = join(folder, 'openapi.yaml');
  writeFileSync(file, await (await fetch(`${url}/api/schema/`)).text());
  const json = await fetch(`${url}/api/schema/`, { headers: { accept: 'application/json' } });
  const { paths } = (await json.json()) as {
    paths: Readonly<Record<string, Readonly<Record<string, RawOperation>>>>;
  };
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => {
      const parameters = operation.parameters ?? [];
      const described: Described = {
        method,
        path,
        pathNames: [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? ''),
        takesQuery: parameters.some((parameter) => parameter.in === 'query'),
        takesBody: operation.requestBody !== undefined,
      };
      return [operation.operationId, described] as const;
    }),
  );
  return { file, operations: new Map(operations) };
}

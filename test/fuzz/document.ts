/** A JSON schema of the API description; OpenAPI 3.1 has plain ones. */
export interface Schema {
  readonly type?: string;
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly minLength?: number;
}

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query';
  readonly required?: boolean;
  readonly schema: Schema;
}

/** One operation of the description. */
export interface Operation {
  readonly id: string;
  readonly method: string;
  /** With `{names}`. */
  readonly path: string;
  readonly parameters: readonly Parameter[];
  /** `public`, or the scope that a key needs; null = any key will do. */
  readonly scope: string | null;
  readonly body: Schema | null;
  /** By status or `4XX`; null = documented as empty, `{}` = not JSON. */
  readonly responses: Readonly<Record<string, Schema | null>>;
}

interface RawOperation {
  readonly operationId: string;
  readonly security: readonly { readonly PersonalAPIKeyAuth?: readonly string[] }[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: Schema }>> }>
  >;
}

export interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, RawOperation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** Every operation that a running server describes at `/api/schema/`. */
export async function readOperations(url: string): Promise<Operation[]> {
  const answer = await fetch(new URL('/api/schema/?format=json', url));
  const document = written((await answer.json()) as Document);
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, raw]) => ({
      id: raw.operationId,
      method: method.toUpperCase(),
      path,
      parameters: raw.parameters ?? [],
      scope: raw.security.length === 0 ? 'public' : (raw.security[0]?.PersonalAPIKeyAuth?.[0] ?? null),
      body: raw.requestBody?.content['application/json']?.schema ?? null,
      responses: Object.fromEntries(
        Object.entries(raw.responses).map(([status, { content }]) => [
          status,
          content ? (content['application/json']?.schema ?? {}) : null,
        ]),
      ),
    })),
  );
}

/** The same document with every `$ref` replaced by what it refers to. */
export function written(document: Document): Document {
  const { schemas } = document.components;
  const visit = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(visit);
    if (node === null || typeof node !== 'object') return node;
    const { $ref } = node as { $ref?: string };
    if (typeof $ref === 'string') return visit(schemas[$ref.split('/').at(-1) ?? '']);
    return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, visit(value)]));
  };
  return visit(document) as Document;
}

/** Any part of an OpenAPI document. */
export type Json = Readonly<Record<string, unknown>>;

interface Named {
  readonly paths: Json;
  readonly schemas: Json;
}

/** Values, not schemas: what looks like a schema in there is none. */
const VALUES = new Set(['examples', 'example', 'default', 'enum', 'const']);

/**
 * Gives every schema that has a `title` a place of its own, `#/components/schemas/<title>`, and refers to it from
 * wherever it was written out: client generators make one type of it instead of one per operation. A union of
 * constants becomes an `enum`; lists in a query say how they are sent, because generators guess differently; a body
 * without required fields may be left out. Throws when two different schemas share a title.
 */
export function nameSchemas(paths: Json): Named {
  const schemas = new Map<string, Json>();

  const visit = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(visit);
    if (!isObject(node)) return node;
    const { title, ...rest } = node;
    const named = typeof title === 'string';
    const visited = shaped(
      schemas,
      Object.fromEntries(
        Object.entries(named ? rest : node).map(([key, value]) => [
          key,
          VALUES.has(key) ? structuredClone(value) : visit(value),
        ]),
      ),
    );
    if (!named) return visited;
    keep(schemas, title, visited);
    return { $ref: `#/components/schemas/${title}` };
  };

  return { paths: visit(paths) as Json, schemas: Object.fromEntries(schemas) };
}

function keep(schemas: Map<string, Json>, title: string, schema: Json): void {
  const known = schemas.get(title);
  if (known !== undefined && JSON.stringify(known) !== JSON.stringify(schema)) {
    throw new Error(`Two different schemas are called ${title}.`);
  }
  schemas.set(title, schema);
}

function shaped(schemas: ReadonlyMap<string, Json>, node: Json): Json {
  if (Array.isArray(node.anyOf)) return asEnum(node, node.anyOf);
  if (isObject(node.requestBody)) return { ...node, requestBody: maybeOptional(schemas, node.requestBody) };
  if (node.in === 'query' && isObject(node.schema) && node.schema.type === 'array') {
    return { ...node, style: 'form', explode: true };
  }
  return node;
}

function maybeOptional(schemas: ReadonlyMap<string, Json>, body: Json): Json {
  const [media] = Object.values(isObject(body.content) ? body.content : {});
  const written = isObject(media) && isObject(media.schema) ? media.schema : {};
  const schema = schemas.get(String(written.$ref).split('/').at(-1) ?? '') ?? written;
  return { ...body, required: Array.isArray(schema.required) && schema.required.length > 0 };
}

/** `anyOf` of constants of one type → `enum`. */
function asEnum(node: Json, variants: readonly unknown[]): Json {
  const values = variants.map((variant) => constantOf(variant));
  const [first] = values;
  if (first === undefined || values.some((value) => typeof value !== typeof first)) return node;
  const { anyOf: _, ...rest } = node;
  return { ...rest, type: typeof first, enum: values };
}

function constantOf(schema: unknown): string | number | boolean | undefined {
  if (!isObject(schema)) return undefined;
  const { const: constant, enum: choices } = schema;
  const value = Array.isArray(choices) && choices.length === 1 ? choices[0] : constant;
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? value
    : undefined;
}

const isObject = (value: unknown): value is Json =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

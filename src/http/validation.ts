import type { TSchema } from 'typebox';
import { SluiceError } from '../errors/error.ts';
import { refuseUnkeepable } from './keepable.ts';
import { readBoolean, readChoice, readInteger, readNumber, readText } from './scalars.ts';
import type { Schema } from './schema-node.ts';

/** Where a value comes from: JSON has types, a query string or a form has only text. */
type Source = 'json' | 'text';

type Fields = Record<string, unknown>;

/**
 * Reads a request body by its schema: converts, applies defaults, drops unknown keys. Throws the first
 * problem as a SluiceError with the code and attr of contract.md §1.4.
 */
export function readBody(schema: TSchema, body: unknown, source: Source = 'json'): Fields {
  return readFields(schema as Schema, body, null, source);
}

/** Reads a query string, parsed to `name → text or texts`, by its schema. */
export function readQuery(schema: TSchema, query: Readonly<Fields>): Fields {
  return readFields(schema as Schema, query, null, 'text');
}

function readFields(schema: Schema, value: unknown, attr: string | null, source: Source): Fields {
  if (!isFields(value)) {
    throw new SluiceError('invalid_input', {
      attr: attr === null ? null : `${attr}__non_field_errors`,
      detail: 'Invalid data. Expected an object.',
    });
  }
  const read: Fields = {};
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const path = attr === null ? name : `${attr}__${name}`;
    const result = readField(field, given(value, name, field, source), path, {
      required: schema.required?.includes(name) ?? false,
      source,
    });
    if (result !== undefined) read[name] = result;
  }
  if (schema.additionalProperties === true) return { ...value, ...read };
  return read;
}

/** Own keys only: a body cannot reach `constructor`. Repeated query names count once unless a list is wanted. */
function given(fields: Readonly<Fields>, name: string, schema: Schema, source: Source): unknown {
  if (!Object.hasOwn(fields, name)) return undefined;
  const value = fields[name];
  if (schema['x-blank-is-absent'] === true && (value === null || value === '')) return undefined;
  if (source === 'json') return value;
  const list = variants(schema).some((variant) => variant.type === 'array');
  if (list) return Array.isArray(value) ? value : value === '' ? undefined : [value];
  return Array.isArray(value) ? value.at(-1) : value;
}

function readField(
  schema: Schema,
  value: unknown,
  attr: string,
  how: { required: boolean; source: Source },
): unknown {
  const blank = how.source === 'text' && value === '' && !variants(schema).some((v) => isText(v));
  if (value === undefined || (blank && !how.required)) {
    if (how.required && schema.default === undefined) throw new SluiceError('required', { attr });
    return structuredClone(schema.default);
  }
  refuseUnkeepable(value, attr);
  if (schema['x-lenient'] !== true) return readValue(schema, value, attr, how.source);
  try {
    return readValue(schema, value, attr, how.source);
  } catch (error) {
    if (error instanceof SluiceError) return structuredClone(schema.default);
    throw error;
  }
}

function readValue(schema: Schema, value: unknown, attr: string, source: Source): unknown {
  if (schema.anyOf) return readUnion(schema.anyOf, value, attr, source);
  if (schema.type === 'null') return readChoice([null], value, attr);
  if (value === null && schema.type !== undefined) throw new SluiceError('null', { attr });
  if (schema.enum) return readChoice(schema.enum, value, attr);
  if (schema.const !== undefined) return readChoice([schema.const], value, attr);
  switch (schema.type) {
    case 'string':
      return readText(schema, value, attr);
    case 'integer':
      return readInteger(schema, value, attr);
    case 'number':
      return readNumber(schema, value, attr);
    case 'boolean':
      return readBoolean(value, attr);
    case 'array':
      return readList(schema, value, attr, source);
    case 'object':
      return readObject(schema, value, attr, source);
    default:
      return value;
  }
}

/** A nullable field, a set of literals, or alternatives tried in order (the first one's error is told). */
function readUnion(options: readonly Schema[], value: unknown, attr: string, source: Source): unknown {
  const others = options.filter((option) => option.type !== 'null');
  if (value === null) {
    if (others.length < options.length) return null;
    throw new SluiceError('null', { attr });
  }
  const literals = others.map((option) => option.const);
  if (literals.length > 1 && literals.every((literal) => literal !== undefined)) {
    return readChoice(literals, value, attr);
  }
  let first: unknown;
  for (const option of others) {
    try {
      return readValue(option, value, attr, source);
    } catch (error) {
      first ??= error;
    }
  }
  throw first;
}

function readList(schema: Schema, value: unknown, attr: string, source: Source): unknown[] {
  if (!Array.isArray(value)) throw new SluiceError('not_a_list', { attr });
  if (value.length < (schema.minItems ?? 0)) throw new SluiceError('empty', { attr });
  if (schema.maxItems !== undefined && value.length > schema.maxItems) {
    throw new SluiceError('max_length', {
      attr,
      detail: `Ensure this field has no more than ${schema.maxItems} elements.`,
    });
  }
  const items = schema.items;
  return items ? value.map((item, i) => readValue(items, item, `${attr}__${i}`, source)) : value;
}

/** With declared properties a nested form; without, free JSON. */
function readObject(schema: Schema, value: unknown, attr: string, source: Source): Fields {
  if (schema.properties && Object.keys(schema.properties).length > 0) {
    return readFields(schema, value, attr, source);
  }
  if (!isFields(value)) throw new SluiceError('not_a_dict', { attr });
  return value;
}

const isFields = (value: unknown): value is Fields =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

const variants = (schema: Schema): readonly Schema[] => schema.anyOf ?? [schema];

const isText = (schema: Schema) => schema.type === 'string' && !schema.enum && schema.const === undefined;

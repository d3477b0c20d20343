import { propertyText } from '../../filters.ts';
import { chainOf, type Node } from '../ast.ts';
import { EVENT_FIELDS } from '../tables.ts';
import { type Column, quoteName, type Scope, unsupported } from './scope.ts';

/** A field as SQL. `property` = Nullable(String), a value out of JSON; `column` = a column of events, never NULL. */
export interface PrintedField {
  readonly kind: 'column' | 'property' | 'other';
  readonly sql: string;
}

const COLUMNS: ReadonlySet<string> = new Set([...EVENT_FIELDS, 'person_properties']);
/** Ways to JSON, longest first. */
const JSON_COLUMNS: readonly (readonly [way: readonly string[], column: string])[] = [
  [['person', 'properties'], 'person_properties'],
  [['poe', 'properties'], 'person_properties'],
  [['person_properties'], 'person_properties'],
  [['properties'], 'properties'],
];

export function printField(field: Node, scope: Scope): PrintedField {
  const chain = chainOf(field).map(String);
  const [first = ''] = chain;
  if (chain.length === 1 && scope.aliases.has(first)) {
    // ClickHouse decides whether the alias or the column is meant; both must be there.
    if (scope.source.kind === 'events' && COLUMNS.has(first)) scope.used.add(first);
    return { kind: 'other', sql: quoteName(first) };
  }
  const own = ownChain(chain, scope);
  if (scope.source.kind === 'events') return printEventField(field, own, scope);
  const [name = ''] = own;
  const column = scope.source.columns.find((each) => each.name === name);
  if (own.length === 1 && column) return { kind: 'other', sql: column.sql };
  throw unsupported(`the field ${chain.join('.')}`);
}

function ownChain(chain: readonly string[], { source }: Scope): readonly string[] {
  return chain.length > 1 && chain[0] === source.name ? chain.slice(1) : chain;
}

function printEventField(field: Node, chain: readonly string[], scope: Scope): PrintedField {
  const path = jsonPath(field, scope);
  if (path && path.keys.length > 0) return { kind: 'property', sql: printProperty(path, scope) };
  const [first = ''] = chain;
  if (path) return printColumn(path.column, scope);
  if (chain.length === 1 && COLUMNS.has(first)) return printColumn(first, scope);
  if (chain.length === 2 && first === 'person' && chain[1] === 'id') return printColumn('person_id', scope);
  throw unsupported(`the field ${chain.join('.')}`);
}

function printColumn(name: string, scope: Scope): PrintedField {
  scope.used.add(name);
  return { kind: 'column', sql: quoteName(name) };
}

/** What leads from a column of JSON to a value in it. Numbers are positions, from 1 on or from -1 back. */
export interface JsonPath {
  readonly column: string;
  readonly keys: readonly (string | number)[];
}

/** `properties.a`, `properties['a']`, `properties.a[1]`, `properties.a.1`; null for everything else. */
export function jsonPath(node: Node, scope: Scope): JsonPath | null {
  if (node.node === 'ArrayAccess' || node.node === 'TupleAccess') {
    const key = node.node === 'TupleAccess' ? node.index : (node.property as Node).value;
    const path = jsonPath((node.array ?? node.tuple) as Node, scope);
    const known = typeof key === 'string' || (Number.isSafeInteger(key) && key !== 0);
    return path && known && !node.nullish ? { ...path, keys: [...path.keys, key as string | number] } : null;
  }
  if (node.node !== 'Field' || scope.source.kind !== 'events') return null;
  const chain = chainOf(node).map(String);
  if (chain.length === 1 && scope.aliases.has(chain[0] ?? '')) return null;
  const own = ownChain(chain, scope);
  const found = JSON_COLUMNS.find(([way]) => way.every((part, index) => own[index] === part));
  return found ? { column: found[1], keys: own.slice(found[0].length) } : null;
}

/** As filters have it: a string without its quotes, anything else as its JSON, NULL for null and what is absent. */
export function printProperty({ column, keys }: JsonPath, scope: Scope): string {
  const { parameters } = scope.context;
  const printed = keys.map((key) => (typeof key === 'string' ? parameters.add('String', key) : key));
  return propertyText(printColumn(column, scope).sql, printed.join(', '));
}

/** What `*` stands for. */
export function printStar(scope: Scope): readonly Column[] {
  if (scope.source.kind === 'none') throw unsupported('* without a table');
  if (scope.source.kind === 'subquery') return scope.source.columns;
  for (const name of EVENT_FIELDS) scope.used.add(name);
  return EVENT_FIELDS.map((name) => ({ name, sql: quoteName(name) }));
}

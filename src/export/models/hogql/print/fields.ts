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
  const own = chain.length > 1 && first === scope.source.name ? chain.slice(1) : chain;
  if (scope.source.kind === 'events') return printEventField(own, scope);
  const [name = ''] = own;
  const column = scope.source.columns.find((each) => each.name === name);
  if (own.length === 1 && column) return { kind: 'other', sql: column.sql };
  throw unsupported(`the field ${chain.join('.')}`);
}

function printEventField(chain: readonly string[], scope: Scope): PrintedField {
  const column = (name: string): PrintedField => {
    scope.used.add(name);
    return { kind: 'column', sql: quoteName(name) };
  };
  for (const [way, name] of JSON_COLUMNS) {
    if (!way.every((part, index) => chain[index] === part)) continue;
    const keys = chain.slice(way.length);
    return keys.length === 0 ? column(name) : printProperty(column(name).sql, keys, scope);
  }
  const [first = ''] = chain;
  if (chain.length === 1 && COLUMNS.has(first)) return column(first);
  if (chain.length === 2 && first === 'person' && chain[1] === 'id') return column('person_id');
  throw unsupported(`the field ${chain.join('.')}`);
}

/** As filters have it: a string without its quotes, anything else as its JSON, NULL for null and what is absent. */
export function printProperty(column: string, keys: readonly string[], scope: Scope): PrintedField {
  const names = keys.map((key) => scope.context.parameters.add('String', key)).join(', ');
  return { kind: 'property', sql: propertyText(column, names) };
}

/** What `*` stands for. */
export function printStar(scope: Scope): readonly Column[] {
  if (scope.source.kind === 'none') throw unsupported('* without a table');
  if (scope.source.kind === 'subquery') return scope.source.columns;
  for (const name of EVENT_FIELDS) scope.used.add(name);
  return EVENT_FIELDS.map((name) => ({ name, sql: quoteName(name) }));
}

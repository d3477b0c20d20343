import { chainOf, childrenOf, isSelect, joinsOf, type Node, nodeIn, nodesIn, refuseQuery } from './ast.ts';
import { type Columns, TABLES } from './tables.ts';

/** What the fields of one SELECT may refer to. */
interface Scope {
  /** Under the names they have here; a subquery without a name has an empty one. */
  readonly tables: readonly (readonly [name: string, columns: Columns])[];
  /** Aliases, and values named by WITH. */
  readonly values: ReadonlySet<string>;
  readonly ctes: Ctes;
  readonly count: Count;
}

type Ctes = ReadonlyMap<string, Columns>;
/** Told of columns before they are listed. Throws when the query has too many. */
type Count = (columns: number) => void;

/**
 * Columns of all SELECTs of a query together, what each `*` stands for included. Stars multiply: ten of them over ten of
 * them over events are 1,700 columns in 60 characters, and a query may hold 50,000 characters.
 */
const MOST_COLUMNS = 10_000;

/**
 * Checks that every table and field exists; a field of a table whose columns are not known passes. Returns the names of the
 * query's columns, null when they are not known. Throws `invalid_input` at hogql_query.
 */
export function checkNames(query: Node): ReadonlySet<string> | null {
  const { star } = columnsOf(query, new Map(), countingTo(MOST_COLUMNS));
  return star && new Set(star);
}

function countingTo(most: number): Count {
  let total = 0;
  return (columns) => {
    total += columns;
    if (total > most) throw refuseQuery(`The SELECTs of the query have more than ${most} columns together.`);
  };
}

function columnsOf(query: Node, ctes: Ctes, count: Count): Columns {
  if (query.node === 'SelectSetQuery') {
    const first = columnsOf(query.initial_select_query as Node, ctes, count);
    for (const { select_query: other } of nodesIn(query, 'subsequent_select_queries')) {
      columnsOf(other as Node, ctes, count);
    }
    return first;
  }
  if (query.node !== 'SelectQuery')
    throw refuseQuery('A SELECT was expected where the query holds something else.');
  const scope = scopeOf(query, ctes, count);
  for (const child of childrenOf(query)) checkFields(child, scope, new Set());
  const star = starOf(query, scope);
  return { star, names: star && new Set(star) };
}

/** What `*` stands for around this SELECT; null = unknown. */
function starOf(select: Node, scope: Scope): readonly string[] | null {
  const star: string[] = [];
  for (const item of nodesIn(select, 'select')) {
    for (const names of namesOf(item, scope)) {
      if (names === null) return null;
      // Also without a name it is a column.
      scope.count(Math.max(names.length, 1));
      star.push(...names);
    }
  }
  return star;
}

function scopeOf(select: Node, outer: Ctes, count: Count): Scope {
  const ctes = new Map(outer);
  const values = new Set<string>();
  for (const cte of nodesIn(select, 'ctes')) {
    const name = String(cte.name);
    if (cte.cte_type === 'column') {
      values.add(name);
      continue;
    }
    // One that refers to itself is not known before it is read.
    if (cte.recursive === true) ctes.set(name, { names: null, star: null });
    const columns = columnsOf(cte.expr as Node, ctes, count);
    const renamed = Array.isArray(cte.columns) ? cte.columns.map(String) : null;
    ctes.set(name, renamed ? { names: new Set(renamed), star: renamed } : columns);
  }
  collectAliases(select, values);
  const tables = [...joinsOf(select)].map((join) => tableOf(join, ctes, count));
  return { tables, values, ctes, count };
}

/** Aliases may stand anywhere in a SELECT, and count anywhere in it, but not inside its subqueries. */
function collectAliases(node: Node, into: Set<string>): void {
  for (const child of childrenOf(node)) {
    if (child.node === 'Alias') into.add(String(child.alias));
    if (!isSelect(child) && child.node !== 'CTE') collectAliases(child, into);
  }
}

function tableOf(join: Node, ctes: Ctes, count: Count): readonly [string, Columns] {
  const table = nodeIn(join, 'table');
  const alias = typeof join.alias === 'string' ? join.alias : null;
  if (table !== null && isSelect(table)) return [alias ?? '', columnsOf(table, ctes, count)];
  if (table?.node !== 'Field') throw refuseQuery('The query reads from something that is no table.');
  const name = chainOf(table).join('.');
  if (join.table_args) throw refuseQuery(`There is no table function "${name.slice(0, 100)}".`);
  const columns = ctes.get(name) ?? TABLES.get(name);
  if (columns) return [alias ?? name, columns];
  throw refuseQuery(`Unknown table "${name.slice(0, 100)}"; there are ${[...TABLES.keys()].join(', ')}.`);
}

function checkFields(node: Node, scope: Scope, parameters: ReadonlySet<string>): void {
  switch (node.node) {
    case 'Field':
      checkField(chainOf(node), scope, parameters);
      return;
    case 'Placeholder':
      return;
    case 'SelectQuery':
    case 'SelectSetQuery':
      columnsOf(node, scope.ctes, scope.count);
      return;
    case 'CTE':
      if (node.cte_type === 'column') checkFields(node.expr as Node, scope, parameters);
      return;
    case 'JoinExpr': {
      // The tables themselves were looked at when the scope was made.
      for (const key of ['constraint', 'sample', 'next_join']) {
        const inner = nodeIn(node, key);
        if (inner) checkFields(inner, scope, parameters);
      }
      return;
    }
    case 'Lambda': {
      const inner = new Set([...parameters, ...((node.args ?? []) as string[])]);
      for (const child of childrenOf(node)) checkFields(child, scope, inner);
      return;
    }
    default:
      for (const child of childrenOf(node)) checkFields(child, scope, parameters);
  }
}

function checkField(
  chain: readonly (string | number)[],
  scope: Scope,
  parameters: ReadonlySet<string>,
): void {
  const [first, second] = chain.map(String) as [string, string | undefined];
  if (parameters.has(first) || scope.values.has(first)) return;
  if (first === '*' && scope.tables.length > 0) return;
  if (scope.tables.some(([, columns]) => has(columns, first))) return;
  const table = scope.tables.find(([name]) => name === first);
  if (table && second !== undefined && (second === '*' || has(table[1], second))) return;
  throw refuseQuery(`Unknown field "${chain.join('.').slice(0, 100)}".`);
}

const has = ({ names }: Columns, name: string): boolean => names === null || names.has(name);

/** What a SELECT item is called from outside: of `*` a list for each table, null where it is unknown; empty = it has no name. */
function namesOf(item: Node, { tables }: Scope): readonly (readonly string[] | null)[] {
  if (item.node === 'Alias') return [[String(item.alias)]];
  if (item.node !== 'Field') return [[]];
  const chain = chainOf(item).map(String);
  const last = chain.at(-1) as string;
  if (last !== '*') return [[last]];
  const meant = chain.length === 1 ? tables : tables.filter(([name]) => name === chain[0]);
  return meant.map(([, { star }]) => star);
}

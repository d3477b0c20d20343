import type { Fragment } from '../../fragment.ts';
import { chainOf, isSelect, type Node, nodeIn, nodesIn } from '../ast.ts';
import { printExpression } from './expressions.ts';
import { printStar } from './fields.ts';
import {
  type Column,
  type Context,
  Parameters,
  quoteName,
  type Scope,
  type Source,
  unsupported,
} from './scope.ts';

/**
 * A query as ClickHouse's SQL, over the project's own events: every mention of `events` becomes a subquery with the
 * project's condition inside, where nothing in the query can reach. Only what is listed here and in the files beside it is
 * printed; the rest is refused at hogql_query, by name. Texts are bound, never spliced. The SQL expects the parameters
 * `team_id` (Int64) and, where the query uses them, `data_interval_start` and `data_interval_end` (Int64, milliseconds).
 */
export function printQuery(query: Node, timezone: string): Fragment {
  const parameters = new Parameters();
  const zone = timezone === 'UTC' ? UTC : parameters.add('String', timezone);
  let names = 0;
  const context: Context = {
    parameters,
    zone,
    subquery: (node) => `(${printSelect(node, context).sql})`,
    ownName: () => `\`:${names++}\``,
  };
  const { sql } = printSelect(query, context);
  return { sql, params: parameters.values };
}

/** The column's own zone, which needs no telling. */
const UTC = "'UTC'";

interface Printed {
  readonly sql: string;
  readonly columns: readonly Column[];
}

const SET_OPERATORS = ['UNION ALL', 'UNION DISTINCT', 'INTERSECT', 'EXCEPT'];

function printSelect(query: Node, context: Context): Printed {
  if (query.node !== 'SelectSetQuery') return printOne(query, context);
  only(query, ['initial_select_query', 'subsequent_select_queries']);
  const first = printSelect(query.initial_select_query as Node, context);
  const others = nodesIn(query, 'subsequent_select_queries').map((each) => {
    only(each, ['select_query', 'set_operator']);
    const operator = SET_OPERATORS.find((name) => name === each.set_operator);
    if (!operator) throw unsupported(String(each.set_operator));
    return ` ${operator} (${printSelect(each.select_query as Node, context).sql})`;
  });
  return { sql: `(${first.sql})${others.join('')}`, columns: first.columns };
}

const CLAUSES = [
  'select',
  'distinct',
  'select_from',
  'where',
  'group_by',
  'having',
  'order_by',
  'limit',
  'offset',
];

function printOne(select: Node, context: Context): Printed {
  only(select, CLAUSES);
  const items = nodesIn(select, 'select');
  const aliases = new Set(items.filter(({ node }) => node === 'Alias').map(({ alias }) => String(alias)));
  const from = readSource(select, context);
  const scope: Scope = { source: from.source, aliases, used: new Set(), context };

  const columns = items.map((item) => printItem(item, scope));
  const clause = (key: string, word: string) => {
    const node = nodeIn(select, key);
    return node === null ? '' : ` ${word} ${printExpression(node, scope)}`;
  };
  const list = (key: string, word: string, print: (node: Node) => string) => {
    const nodes = nodesIn(select, key);
    return nodes.length === 0 ? '' : ` ${word} ${nodes.map(print).join(', ')}`;
  };
  const rest = [
    clause('where', 'WHERE'),
    list('group_by', 'GROUP BY', (node) => printExpression(node, scope)),
    clause('having', 'HAVING'),
    list('order_by', 'ORDER BY', (node) => printOrder(node, scope)),
    count(select, 'limit', 'LIMIT'),
    count(select, 'offset', 'OFFSET'),
  ].join('');
  const selected = columns.flatMap(({ sql }) => sql).join(', ');
  const sql = `SELECT ${select.distinct === true ? 'DISTINCT ' : ''}${selected}${from.print(scope)}${rest}`;
  return { sql, columns: columns.flatMap((item) => item.columns) };
}

interface Item {
  readonly sql: readonly string[];
  /** Empty when it has no name. */
  readonly columns: readonly Column[];
}

function printItem(item: Node, scope: Scope): Item {
  if (item.node === 'Alias') {
    only(item, ['alias', 'expr']);
    const name = String(item.alias);
    const sql = quoteName(name);
    return { sql: [`${printExpression(item.expr as Node, scope)} AS ${sql}`], columns: [{ name, sql }] };
  }
  if (item.node !== 'Field') return { sql: [printExpression(item, scope)], columns: [] };
  const name = String(chainOf(item).at(-1));
  if (name === '*') {
    const columns = printStar(scope);
    return { sql: columns.map(({ sql }) => sql), columns };
  }
  const sql = printExpression(item, scope);
  if (/^`[^`]*`$/.test(sql)) return { sql: [sql], columns: [{ name, sql }] };
  // Not by its own name, `properties.event`: WHERE would take that for the event.
  const own = scope.context.ownName();
  return { sql: [`${sql} AS ${own}`], columns: [{ name, sql: own }] };
}

interface From {
  readonly source: Source;
  /** After everything else of the SELECT: then it is known which columns are needed. */
  readonly print: (scope: Scope) => string;
}

function readSource(select: Node, context: Context): From {
  const join = nodeIn(select, 'select_from');
  if (join === null) return { source: { kind: 'none', name: null, columns: [] }, print: () => '' };
  only(join, ['table', 'alias']);
  const table = join.table as Node;
  const alias = typeof join.alias === 'string' ? join.alias : null;
  const as = alias === null ? '' : ` AS ${quoteName(alias)}`;
  if (isSelect(table)) {
    const { sql, columns } = printSelect(table, context);
    return { source: { kind: 'subquery', name: alias, columns }, print: () => ` FROM (${sql})${as}` };
  }
  const name = table.node === 'Field' ? chainOf(table).join('.') : table.node;
  if (name !== 'events') throw unsupported(`the table ${name}`);
  return {
    source: { kind: 'events', name: alias ?? 'events', columns: [] },
    print: ({ used }) => ` FROM ${ownEvents(used, context.zone)}${as}`,
  };
}

/**
 * The project's events. Times are in its zone, so that days begin when they begin there. PREWHERE, because ClickHouse puts
 * conditions of the query before one in WHERE: what fails on another project's row then tells of that row.
 */
function ownEvents(used: ReadonlySet<string>, zone: string): string {
  const columns = [...new Set(['uuid', ...used])].map((name) => {
    const quoted = quoteName(name);
    return zone !== UTC && (name === 'timestamp' || name === 'created_at')
      ? `toTimeZone(${quoted}, ${zone}) AS ${quoted}`
      : quoted;
  });
  return `(SELECT ${columns.join(', ')} FROM events PREWHERE team_id = {team_id:Int64})`;
}

function printOrder(node: Node, scope: Scope): string {
  only(node, ['expr', 'order']);
  return `${printExpression(node.expr as Node, scope)} ${node.order === 'DESC' ? 'DESC' : 'ASC'}`;
}

function count(select: Node, key: string, word: string): string {
  const node = nodeIn(select, key);
  if (node === null) return '';
  const { value } = node;
  if (node.node === 'Constant' && Number.isSafeInteger(value) && Number(value) >= 0)
    return ` ${word} ${value}`;
  throw unsupported(`a ${word} that is no whole number`);
}

const WORDS: Readonly<Record<string, string>> = {
  ctes: 'WITH',
  next_join: 'JOIN',
  sample: 'SAMPLE',
  table_final: 'FINAL',
  table_args: 'table functions',
  array_join_op: 'ARRAY JOIN',
  array_join_list: 'ARRAY JOIN',
  prewhere: 'PREWHERE',
  qualify: 'QUALIFY',
  limit_by: 'LIMIT BY',
  limit_with_ties: 'WITH TIES',
  with_fill: 'WITH FILL',
  group_by_mode: 'modes of GROUP BY',
  window_exprs: 'WINDOW',
};

/** Refuses a node that has anything but the keys that are printed. */
function only(node: Node, keys: readonly string[]): void {
  for (const [key, value] of Object.entries(node)) {
    if (key === 'node' || keys.includes(key) || value === null || value === undefined || value === false)
      continue;
    throw unsupported(WORDS[key] ?? key);
  }
}

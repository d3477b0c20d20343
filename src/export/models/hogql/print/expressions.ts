import { chainOf, isSelect, type Node, nodesIn } from '../ast.ts';
import { PLACEHOLDERS } from '../check.ts';
import { comparisonCalled, printComparison } from './comparisons.ts';
import { jsonPath, printField, printProperty } from './fields.ts';
import { CASTS, functionNamed, isAggregate, printCall, takesParameters } from './functions.ts';
import { type Scope, unsupported } from './scope.ts';

/** Characters of one expression. */
const LONGEST = 250_000;

type Print = (node: Node, scope: Scope) => string;

/** An expression as SQL, by the list below; every other kind of node is refused. */
export function printExpression(node: Node, scope: Scope): string {
  const print = Object.hasOwn(PRINT, node.node) ? PRINT[node.node] : undefined;
  const sql = print?.(node, scope);
  // Some things are said twice: what is nested deeply enough would have no end.
  if (sql !== undefined && sql.length > LONGEST) throw unsupported('a query of this size');
  if (sql !== undefined) return sql;
  if (isSelect(node)) return scope.context.subquery(node);
  throw unsupported(NAMES[node.node] ?? node.node);
}

const inner = (node: Node, key: string, scope: Scope): string => printExpression(node[key] as Node, scope);
const list = (node: Node, key: string, scope: Scope): string[] =>
  nodesIn(node, key).map((each) => printExpression(each, scope));

const PRINT: Readonly<Record<string, Print>> = {
  Constant: printConstant,
  Field: (node, scope) => printField(node, scope).sql,
  Placeholder: (node, scope) => {
    const name = PLACEHOLDERS.find((each) => each === chainOf(node.expr as Node)[0]);
    if (!name) throw unsupported('this placeholder');
    return `fromUnixTimestamp64Milli({${name}:Int64}, ${scope.context.zone})`;
  },
  And: (node, scope) => `(${list(node, 'exprs', scope).join(' AND ')})`,
  Or: (node, scope) => `(${list(node, 'exprs', scope).join(' OR ')})`,
  Not: (node, scope) => `(NOT ${inner(node, 'expr', scope)})`,
  ArithmeticOperation: (node, scope) => {
    if (!['+', '-', '*', '/', '%'].includes(String(node.op))) throw unsupported(`the operator ${node.op}`);
    return `(${inner(node, 'left', scope)} ${node.op} ${inner(node, 'right', scope)})`;
  },
  CompareOperation: (node, scope) => printComparison(node, scope, printExpression),
  BetweenExpr: (node, scope) => printComparison(node, scope, printExpression),
  Tuple: (node, scope) => `tuple(${list(node, 'exprs', scope).join(', ')})`,
  Array: (node, scope) => `[${list(node, 'exprs', scope).join(', ')}]`,
  ArrayAccess: printAccess,
  TupleAccess: printAccess,
  TypeCast: (node, scope) => {
    const name = Object.hasOwn(CASTS, String(node.type_name)) ? CASTS[String(node.type_name)] : undefined;
    const printed = name && printNamed(name, [node.expr as Node], [inner(node, 'expr', scope)], scope);
    if (printed) return printed;
    throw unsupported(`casts to ${node.type_name}`);
  },
  Call: printFunction,
};

const NAMES: Readonly<Record<string, string>> = {
  Lambda: 'lambdas',
  Alias: 'an alias inside an expression',
  WindowFunction: 'window functions',
  Dict: 'dictionaries',
  HogQLXTag: 'tags',
  TryCast: 'TRY_CAST',
};

function printConstant({ value = null, value_type: special }: Node, scope: Scope): string {
  if (value === null) return 'NULL';
  if (typeof value === 'string' && special === undefined)
    return scope.context.parameters.add('String', value);
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'number' && Number.isFinite(value)) return value < 0 ? `(${value})` : String(value);
  throw unsupported(`the number ${value}`);
}

/** `properties['a']`, and one element of an array. */
function printAccess(node: Node, scope: Scope): string {
  if (node.nullish) throw unsupported('?.');
  const path = jsonPath(node, scope);
  if (path) return printProperty(path, scope);
  const { value } = (node.property ?? {}) as { value?: unknown };
  if (value === 0) throw unsupported('the position 0 (the first is 1)');
  if (node.node === 'ArrayAccess' && typeof value === 'number' && Number.isSafeInteger(value)) {
    return `arrayElement(${inner(node, 'array', scope)}, ${value})`;
  }
  throw unsupported('this kind of […]');
}

function printFunction(call: Node, scope: Scope): string {
  const name = functionNamed(String(call.name));
  for (const key of ['filter_expr', 'order_by', 'within_group'] as const) {
    if (call[key]) throw unsupported(`${key === 'filter_expr' ? 'FILTER' : 'ORDER BY'} inside ${name}()`);
  }
  const nodes = nodesIn(call, 'args');
  // Before any of them is printed: each is printed once, or what is nested takes twice the time with each level.
  const comparison = call.distinct === true ? null : comparisonCalled(name, nodes);
  if (comparison) {
    if (call.params) throw unsupported(`parameters of ${name}()`);
    return printComparison(comparison, scope, printExpression);
  }
  const everything = nodes.some((arg) => arg.node === 'Field' && chainOf(arg)[0] === '*');
  const args = name === 'count' && everything ? [] : list(call, 'args', scope);
  if (call.distinct === true && (!isAggregate(name) || args.length === 0)) {
    throw unsupported(`DISTINCT in ${name}()`);
  }
  const marked = call.distinct === true ? [`DISTINCT ${args.join(', ')}`] : args;
  const printed = printNamed(name, nodes, marked, scope);
  if (printed === null) throw unsupported(`the function ${name}`);
  if (!call.params) return printed;
  const params = nodesIn(call, 'params');
  if (!takesParameters(name) || params.length !== 1 || typeof params[0]?.value !== 'number') {
    throw unsupported(`parameters of ${name}()`);
  }
  return `${name}(${printConstant(params[0], scope)})${printed.slice(name.length)}`;
}

/** Of what is a time in the project's zone already, `toDateTime` is the time: as text, an hour in autumn has two. */
function printNamed(
  name: string,
  nodes: readonly Node[],
  args: readonly string[],
  scope: Scope,
): string | null {
  const [first] = nodes;
  if (name === 'toDateTime' && args.length === 1 && first && isTime(first, scope)) return args[0] ?? null;
  return printCall(name, args, scope.context.zone);
}

function isTime(node: Node, scope: Scope): boolean {
  if (node.node !== 'Field') return node.node === 'Placeholder';
  const { kind, sql } = printField(node, scope);
  return kind === 'column' && ['`timestamp`', '`created_at`'].includes(sql);
}

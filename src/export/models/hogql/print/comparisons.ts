import { everyNode, isSelect, type Node, nodesIn } from '../ast.ts';
import { jsonPath, printField } from './fields.ts';
import { type Scope, unsupported } from './scope.ts';

type Print = (node: Node, scope: Scope) => string;

/** ClickHouse's functions, and what a comparison with NULL gives: nothing is not equal to, in, or like anything. */
const OPERATORS: Readonly<Record<string, readonly [call: string, whenNull: 0 | 1]>> = {
  '==': ['equals', 0],
  '!=': ['notEquals', 1],
  '<': ['less', 0],
  '<=': ['lessOrEquals', 0],
  '>': ['greater', 0],
  '>=': ['greaterOrEquals', 0],
  like: ['like', 0],
  ilike: ['ilike', 0],
  'not like': ['notLike', 1],
  'not ilike': ['notILike', 1],
  in: ['in', 0],
  'not in': ['notIn', 1],
  '=~': ['match', 0],
  '!~': ['NOT match', 1],
};

/** The comparison that is written as a call, `equals(a, b)`; null when the name is none of those. */
export function comparisonCalled(name: string, args: readonly Node[]): Node | null {
  const [op] = Object.entries(OPERATORS).find(([, [call]]) => call === name) ?? [];
  if (op === undefined || name === 'match') return null;
  const [left, right] = args;
  if (!left || !right || args.length > 2) throw unsupported(`${name}() of anything but two values`);
  return { node: 'CompareOperation', op, left, right };
}

/** Comparisons as HogQL means them: the answer is never NULL (two NULLs are equal). */
export function printComparison(node: Node, scope: Scope, print: Print): string {
  if (node.node === 'BetweenExpr') return printBetween(node, scope, print);
  const op = String(node.op);
  const [left, right] = [node.left as Node, node.right as Node];
  const operator = Object.hasOwn(OPERATORS, op) ? OPERATORS[op] : undefined;
  if (!operator) throw unsupported(`the operator ${op}`);
  if (op === '==' || op === '!=') {
    const other = isNull(right) ? left : isNull(left) ? right : null;
    if (other) return `${op === '==' ? 'isNull' : 'isNotNull'}(${print(other, scope)})`;
  }
  const [call, whenNull] = operator;
  if (call === 'in' || call === 'notIn') return printIn(node, call, whenNull, scope, print);
  const [a, b] = [suited(left, right, scope, print), suited(right, left, scope, print)];
  const compared = `${call}(${a}, ${b})`;
  if (!mayBeNull(left, scope) && !mayBeNull(right, scope)) return compared;
  // Said twice, so of fields only: of expressions it would double the text with each level.
  const ofFields = left.node === 'Field' && right.node === 'Field';
  if (ofFields && op === '==') return `ifNull(${compared}, isNull(${a}) AND isNull(${b}))`;
  if (ofFields && op === '!=') return `ifNull(${compared}, isNotNull(${a}) OR isNotNull(${b}))`;
  return `ifNull(${compared}, ${whenNull})`;
}

function printBetween(node: Node, scope: Scope, print: Print): string {
  const [value, low, high] = [node.expr as Node, node.low as Node, node.high as Node];
  const shown = suited(value, low, scope, print);
  const inside = `(${shown} >= ${print(low, scope)} AND ${shown} <= ${print(high, scope)})`;
  // What is absent is neither inside nor outside.
  return `ifNull(${node.negated === true ? 'NOT ' : ''}${inside}, 0)`;
}

/**
 * The right side: a subquery, or a list, which is bound as one value when it is of texts only. Never a name, in brackets or not:
 * there ClickHouse reads one that is no alias as a table, all projects’ rows included.
 */
function printIn(node: Node, call: string, whenNull: 0 | 1, scope: Scope, print: Print): string {
  const [left, right] = [node.left as Node, node.right as Node];
  if (isSelect(right)) return inSet(print(left, scope), call, print(right, scope), whenNull);
  const items = right.node === 'Tuple' || right.node === 'Array' ? nodesIn(right, 'exprs') : [right];
  const [first] = items;
  if (!first || !items.every(isValue)) throw unsupported('IN with anything but constants or a subquery');
  const value = suited(left, first, scope, print);
  const texts = items.map((item) => item.value);
  const set = texts.every((text) => typeof text === 'string')
    ? scope.context.parameters.add('Array(String)', texts)
    : `(${items.map((item) => print(item, scope)).join(', ')})`;
  return inSet(value, call, set, whenNull);
}

const inSet = (value: string, call: string, set: string, whenNull: 0 | 1): string =>
  `ifNull(${value} ${call === 'in' ? 'IN' : 'NOT IN'} ${set}, ${whenNull})`;

/** A constant, a placeholder, a call without fields, or a list of them: nothing that holds a name. */
function isValue(node: Node): boolean {
  if (node.node === 'Call') return [...everyNode(node)].every((inner) => inner.node !== 'Field');
  if (node.node === 'Tuple')
    return nodesIn(node, 'exprs').length > 0 && nodesIn(node, 'exprs').every(isValue);
  return node.node === 'Constant' || node.node === 'Placeholder';
}

const isNull = (node: Node): boolean => node.node === 'Constant' && (node.value ?? null) === null;

/** A property is text: beside a number it is read as one, beside true and false it is compared with their names. */
function suited(node: Node, other: Node, scope: Scope, print: Print): string {
  const sql = print(node, scope);
  if (isProperty(node, scope) && other.node === 'Constant' && typeof other.value === 'number') {
    return `toFloat64OrNull(${sql})`;
  }
  if (node.node === 'Constant' && typeof node.value === 'boolean' && isProperty(other, scope))
    return `'${node.value}'`;
  return sql;
}

const isProperty = (node: Node, scope: Scope): boolean => (jsonPath(node, scope)?.keys.length ?? 0) > 0;

/** False only where it is certain: columns of events and constants. Then ClickHouse may use its indexes. */
function mayBeNull(node: Node, scope: Scope): boolean {
  if (node.node === 'Constant') return isNull(node);
  if (node.node === 'Placeholder') return false;
  if (node.node === 'Field') return printField(node, scope).kind !== 'column';
  return (
    node.node !== 'ArithmeticOperation' ||
    mayBeNull(node.left as Node, scope) ||
    mayBeNull(node.right as Node, scope)
  );
}

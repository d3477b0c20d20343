import { SluiceError } from '../../../errors/error.ts';

/** A node of the parser's tree; which other keys it has depends on `node`. */
export interface Node {
  readonly node: string;
  readonly [key: string]: unknown;
}

/** What is wrong with a query is always told at the field that holds it (contract.md §4.3). */
export const refuseQuery = (detail: string): SluiceError =>
  new SluiceError('invalid_input', { attr: 'hogql_query', detail });

export function isNode(value: unknown): value is Node {
  return (
    value !== null && typeof value === 'object' && typeof (value as { node?: unknown }).node === 'string'
  );
}

/** The nodes directly below, whatever lists and maps they lie in. */
export function* childrenOf(value: unknown): Generator<Node> {
  if (value === null || typeof value !== 'object') return;
  for (const inner of Object.values(value)) {
    if (isNode(inner)) yield inner;
    else yield* childrenOf(inner);
  }
}

/** A node and everything below it. */
export function* everyNode(root: Node): Generator<Node> {
  yield root;
  for (const child of childrenOf(root)) yield* everyNode(child);
}

/** A key that holds a list of nodes; absent and null are an empty list. */
export function nodesIn(node: Node, key: string): readonly Node[] {
  const value = node[key];
  return Array.isArray(value) ? value.filter(isNode) : [];
}

/** A key that holds one node or nothing. */
export function nodeIn(node: Node, key: string): Node | null {
  const value = node[key];
  return isNode(value) ? value : null;
}

/** The parts of a field's name, `['person', 'properties', 'plan']`; numbers are positions. */
export function chainOf(field: Node): readonly (string | number)[] {
  const { chain } = field;
  if (!Array.isArray(chain) || chain.length === 0)
    throw refuseQuery('The query holds a field without a name.');
  return chain as (string | number)[];
}

export const isSelect = (node: Node): boolean =>
  node.node === 'SelectQuery' || node.node === 'SelectSetQuery';

/** The tables of a SELECT in their order, joined ones too. */
export function* joinsOf(select: Node): Generator<Node> {
  for (let join = nodeIn(select, 'select_from'); join !== null; join = nodeIn(join, 'next_join')) yield join;
}

import { chainOf, everyNode, type Node, refuseQuery } from './ast.ts';
import { checkNames } from './names.ts';

export const PLACEHOLDERS = ['data_interval_start', 'data_interval_end'] as const;
export type Placeholder = (typeof PLACEHOLDERS)[number];

/** A query that may be exported. */
export interface Query {
  readonly tree: Node;
  /** Names of its columns; null = `*` of a table whose columns are not known here. */
  readonly outputs: ReadonlySet<string> | null;
  readonly placeholders: ReadonlySet<Placeholder>;
}

/**
 * The rules of contract.md §4.3 for the model `hogql`, in this order: placeholders, SELECT items, tables and fields. Throws
 * `invalid_input` at hogql_query with the first problem.
 */
export function checkQuery(tree: Node): Query {
  const placeholders = placeholdersOf(tree);
  checkItems(tree);
  return { tree, placeholders, outputs: checkNames(tree) };
}

function placeholdersOf(tree: Node): ReadonlySet<Placeholder> {
  const found = new Set<Placeholder>();
  for (const node of everyNode(tree)) {
    if (node.node !== 'Placeholder') continue;
    const name = nameOf(node.expr as Node);
    const known = PLACEHOLDERS.find((each) => each === name);
    if (!known) {
      const shown = name === null ? '{…}' : `{${name.slice(0, 100)}}`;
      throw refuseQuery(`Unknown placeholder ${shown}; there are ${PLACEHOLDERS.join(' and ')}.`);
    }
    found.add(known);
  }
  return found;
}

const nameOf = (inner: Node): string | null => (inner.node === 'Field' ? chainOf(inner).join('.') : null);

/** The first SELECT gives the columns of a UNION their names, so it is the one that must have them. */
function checkItems(tree: Node): void {
  const first = tree.node === 'SelectSetQuery' ? (tree.initial_select_query as Node) : tree;
  if (first.node === 'SelectSetQuery') {
    checkItems(first);
    return;
  }
  if (first.node !== 'SelectQuery') throw refuseQuery('The query is no SELECT.');
  (first.select as readonly Node[]).forEach(({ node }, index) => {
    if (node === 'Field' || node === 'Alias') return;
    throw refuseQuery(`Column ${index + 1} of the query needs a name: write AS and a name behind it.`);
  });
}

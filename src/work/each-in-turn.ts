/**
 * Does `deed` for each item, one after the other. What fails keeps no other from its turn: the first error is thrown when all
 * have had theirs.
 */
export async function eachInTurn<Item>(
  items: readonly Item[],
  deed: (item: Item) => Promise<void>,
): Promise<void> {
  const errors: unknown[] = [];
  for (const item of items) await deed(item).catch((error) => errors.push(error));
  if (errors.length > 0) throw errors[0];
}

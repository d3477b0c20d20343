import { setImmediate as nextTurn } from 'node:timers/promises';

/** The items `size` at a time. After each full portion others get their turn: long work must not hold up the server's thread. */
export async function* portionsOf<Item>(
  items: readonly Item[],
  size: number,
): AsyncGenerator<readonly Item[]> {
  for (let start = 0; start < items.length; start += size) {
    yield items.slice(start, start + size);
    if (start + size <= items.length) await nextTurn();
  }
}

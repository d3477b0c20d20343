/**
 * Does `first` and whatever the steps add to it, at most `limit` at once. The first failure aborts the
 * signal of the others; it is thrown when all have come to rest, so that nothing runs on unwatched.
 */
export async function concurrently<Item>(
  limit: number,
  first: readonly Item[],
  signal: AbortSignal,
  step: (item: Item, signal: AbortSignal) => Promise<readonly Item[]>,
): Promise<void> {
  const failure = new AbortController();
  const either = AbortSignal.any([signal, failure.signal]);
  const queue = [...first];
  let active = 0;
  await new Promise<void>((resolve) => {
    const next = (): void => {
      while (active < limit && queue.length > 0 && !either.aborted) {
        active++;
        step(queue.shift() as Item, either)
          .then((more) => queue.push(...more))
          .catch((error) => failure.abort(error))
          .finally(() => {
            active--;
            next();
          });
      }
      if (active === 0) resolve();
    };
    next();
  });
  either.throwIfAborted();
}

/** A terminal and the launcher of an older Node (bin/sluice.js) may both tell of one Ctrl-C. */
const SAME_MS = 500;

/** Resolves with the name of the first SIGINT or SIGTERM; a second one, half a second later or more, ends the process at once. */
export function untilStopped(): Promise<NodeJS.Signals> {
  let first: number | null = null;
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (first !== null && performance.now() - first >= SAME_MS) process.exit(1);
        first ??= performance.now();
        resolve(signal);
      });
    }
  });
}

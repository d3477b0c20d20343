import type { Clock } from './clock.ts';

/** Settles as `work` does, or rejects with `onLate`'s error after `ms` milliseconds; `work` itself goes on. */
export async function withinLimit<Value>(
  clock: Clock,
  ms: number,
  work: Promise<Value>,
  onLate: () => Error = () => new Error('late'),
): Promise<Value> {
  const over = new AbortController();
  const late = clock.sleep(Math.max(0, ms), over.signal).then((): never => {
    throw onLate();
  });
  late.catch(() => {});
  try {
    return await Promise.race([work, late]);
  } finally {
    over.abort();
  }
}

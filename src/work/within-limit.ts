import type { Clock } from './clock.ts';

/** Settles as `work` does, or rejects with "late" after `ms` milliseconds; `work` itself goes on. */
export async function withinLimit<Value>(clock: Clock, ms: number, work: Promise<Value>): Promise<Value> {
  const over = new AbortController();
  const late = clock.sleep(Math.max(0, ms), over.signal).then((): never => {
    throw new Error('late');
  });
  late.catch(() => {});
  try {
    return await Promise.race([work, late]);
  } finally {
    over.abort();
  }
}

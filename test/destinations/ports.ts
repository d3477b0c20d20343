import type { DestinationPorts } from '../../src/export/destinations/destination.ts';
import { systemClock } from '../../src/work/clock.ts';

export interface TestPorts extends DestinationPorts {
  /** Every wait the target announced. */
  readonly retries: { what: string; attempt: number; waitMs: number; error: unknown }[];
}

/** Real time that does not wait: sleeps end at once, so that retries are counted and not endured. */
export function testPorts(filesRoot: string, change: Partial<DestinationPorts> = {}): TestPorts {
  const retries: TestPorts['retries'] = [];
  let seed = 1;
  return {
    clock: {
      now: systemClock.now,
      sleep: async (_ms, signal) => {
        signal?.throwIfAborted();
      },
    },
    random: () => {
      seed = (seed * 48271) % 2147483647;
      return seed / 2147483647;
    },
    filesRoot,
    checkHost: async () => {},
    onRetry: (event) => retries.push(event),
    retries,
    ...change,
  };
}

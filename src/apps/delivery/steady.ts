import type { Clock } from '../../work/clock.ts';

/** A clock whose time goes on where it was when the other one is set back, so that nothing waits for that time to come again. */
export function steadyClock(clock: Clock): Clock {
  let last = clock.now();
  let ahead = 0;
  return {
    now: () => {
      const now = clock.now();
      ahead = Math.max(ahead, last - now);
      last = now + ahead;
      return last;
    },
    sleep: (ms, signal) => clock.sleep(ms, signal),
  };
}

import { describe, expect, it } from 'vitest';
import { createThrottle } from './throttle.ts';

describe('contract.md §1.6: throttling', () => {
  const MINUTE = 60_000;

  function start(rates?: Parameters<typeof createThrottle>[1]) {
    const clock = { time: 1_000_000, now: () => clock.time };
    const throttle = createThrottle(clock, rates);
    const times = (count: number, key: string | null = 'k') => {
      let admitted = 0;
      try {
        for (; admitted < count; admitted++) throttle.admit(key);
      } catch (error) {
        return { admitted, retryAfter: (error as { retryAfter: number }).retryAfter };
      }
      return { admitted };
    };
    return { clock, times };
  }

  it('480 in a minute, then the seconds to wait', () => {
    const { clock, times } = start();
    expect(times(480)).toEqual({ admitted: 480 });
    expect(times(1)).toEqual({ admitted: 0, retryAfter: 60 });
    clock.time += MINUTE - 1500;
    expect(times(1)).toEqual({ admitted: 0, retryAfter: 2 });
    clock.time += 1500;
    expect(times(481)).toEqual({ admitted: 480, retryAfter: 60 });
  });

  it('4800 in an hour', () => {
    const { clock, times } = start();
    for (let minute = 0; minute < 10; minute++) {
      expect(times(480)).toEqual({ admitted: 480 });
      clock.time += MINUTE;
    }
    expect(times(1)).toEqual({ admitted: 0, retryAfter: 50 * 60 });
    clock.time += 50 * MINUTE;
    expect(times(1)).toEqual({ admitted: 1 });
  });

  it('counts each key alone, and sessions never', () => {
    const { times } = start([{ requests: 2, windowMs: MINUTE }]);
    expect(times(3, 'a').admitted).toBe(2);
    expect(times(3, 'b').admitted).toBe(2);
    expect(times(100, null).admitted).toBe(100);
  });
});

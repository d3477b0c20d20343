import { describe, expect, it } from 'vitest';
import { createApiThrottle, createThrottle } from './throttle.ts';

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
    return { clock, times, throttle };
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

  it('refuses nobody for what was counted before the clock was set back', () => {
    const { clock, times, throttle } = start();
    expect(times(480)).toEqual({ admitted: 480 });
    clock.time -= 6 * 60 * MINUTE;
    throttle.check('k');
    expect(times(481)).toEqual({ admitted: 480, retryAfter: 60 });
    clock.time += MINUTE;
    expect(times(1)).toEqual({ admitted: 1 });
  });

  it('counts each key alone, and sessions never', () => {
    const { times } = start([{ requests: 2, windowMs: MINUTE }]);
    expect(times(3, 'a').admitted).toBe(2);
    expect(times(3, 'b').admitted).toBe(2);
    expect(times(100, null).admitted).toBe(100);
  });

  it('counts costly endpoints apart and tighter, and exempt projects not at all', () => {
    const throttle = createApiThrottle({ now: () => 1_000_000 }, [7]);
    const admitted = (project: number | null, costly: boolean) => {
      let count = 0;
      try {
        for (; count < 1000; count++) throttle.admit('k', project, costly);
      } catch (error) {
        expect(error).toMatchObject({ code: 'throttled', retryAfter: 60 });
      }
      return count;
    };
    expect(admitted(7, true)).toBe(1000);
    expect(admitted(8, true)).toBe(60);
    expect(admitted(8, false)).toBe(480);
    expect(admitted(null, false)).toBe(0);
    expect(admitted(7, false)).toBe(1000);
  });
});

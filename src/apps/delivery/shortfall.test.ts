import { expect, it } from 'vitest';
import { startOf } from './position.ts';
import { createShortfalls } from './shortfall.ts';

const batch = { id: 'a', after: startOf(0), until: startOf(1), events: 10, bytes: null, attempts: 0 };

function looking() {
  const clock = { at: 0, now: () => clock.at };
  const shortfalls = createShortfalls(clock);
  return (seconds: number, found: number) => {
    clock.at = seconds * 1000;
    try {
      return shortfalls.isWhole(batch, found);
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
}

it('fewer events than were planned are taken for all there are when as few are found for a while', () => {
  const look = looking();
  const again = 'warehouse_unavailable';
  expect([0, 1, 3, 7, 15].map((at) => look(at, 8))).toEqual([again, again, again, again, again]);
  expect(look(30, 8)).toBe(false);
});

it('another number begins the wait anew, and all of them end it', () => {
  const look = looking();
  for (const at of [0, 10, 20, 29]) look(at, 0);
  expect(look(40, 7)).toBe('warehouse_unavailable');
  expect(look(60, 7)).toBe('warehouse_unavailable');
  expect(look(61, 10)).toBe(true);
  expect(look(100, 7)).toBe('warehouse_unavailable');
});

import { describe, expect, it } from 'vitest';
import { demoEvents } from './events.ts';

const day = { start: new Date('2026-03-01T00:00:00Z'), end: new Date('2026-03-02T00:00:00Z') };

describe('demoEvents', () => {
  const events = demoEvents({ seed: 7, ...day, count: 20_000 });

  it('makes exactly as many as asked for, each once, all inside the range', () => {
    expect(events).toHaveLength(20_000);
    expect(new Set(events.map(({ uuid }) => uuid)).size).toBe(20_000);
    const times = events.map(({ timestamp }) => timestamp.getTime());
    expect(Math.min(...times)).toBeGreaterThanOrEqual(day.start.getTime());
    expect(Math.max(...times)).toBeLessThan(day.end.getTime());
  });

  it('makes the same from the same seed and others from another', () => {
    expect(demoEvents({ seed: 7, ...day, count: 500 })).toEqual(demoEvents({ seed: 7, ...day, count: 500 }));
    expect(demoEvents({ seed: 8, ...day, count: 500 })).not.toEqual(
      demoEvents({ seed: 7, ...day, count: 500 }),
    );
  });

  it('has about forty kinds, diligent and lazy users, and late events', () => {
    const perUser = Map.groupBy(events, ({ distinctId }) => distinctId);
    const counts = [...perUser.values()].map((own) => own.length).sort((a, b) => b - a);
    expect(new Set(events.map(({ event }) => event)).size).toBeGreaterThanOrEqual(38);
    expect(counts[0]).toBeGreaterThan(20 * (counts[Math.floor(counts.length / 2)] ?? 0));
    const hourLate = events.filter((event, index) => {
      const before = events[Math.max(0, index - 50)]?.timestamp.getTime() ?? 0;
      return before - event.timestamp.getTime() > 3_600_000;
    });
    expect(hourLate.length).toBeGreaterThan(20);
  });

  it('fits a range of a second', () => {
    const end = new Date(day.start.getTime() + 1000);
    const few = demoEvents({ seed: 1, start: day.start, end, count: 50 });
    expect(few.filter(({ timestamp }) => timestamp >= end || timestamp < day.start)).toEqual([]);
    expect(few).toHaveLength(50);
  });
});

import fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import { describe, expect, it } from 'vitest';
import { type Cadence, INTERVALS, intervalContaining } from './intervals.ts';

const cadence = (interval: Cadence['interval'], timezone: string, day: number, hour: number): Cadence => ({
  interval,
  timezone,
  offsetSeconds: day * 86_400 + hour * 3600,
});
const at = (text: string) => Temporal.Instant.from(text).epochMilliseconds;

const ZONES = [
  'UTC',
  'Europe/Berlin',
  'Europe/London',
  'America/New_York',
  'America/Los_Angeles',
  'America/Sao_Paulo',
  'America/St_Johns',
  'America/Havana',
  'Asia/Kolkata',
  'Asia/Kathmandu',
  'Asia/Tehran',
  'Asia/Tokyo',
  'Asia/Beirut',
  'Africa/Cairo',
  'Africa/Casablanca',
  'Australia/Lord_Howe',
  'Australia/Sydney',
  'Pacific/Chatham',
  'Pacific/Apia',
  'Pacific/Easter',
  'America/Goose_Bay',
  'America/Nuuk',
  'Antarctica/Casey',
  'Antarctica/Troll',
];
const FROM = at('2009-01-01T00:00:00Z');
const TO = at('2026-12-31T00:00:00Z');
const HOUR = 3_600_000;
const anyCadence: fc.Arbitrary<Cadence> = fc
  .record({
    interval: fc.constantFrom(...INTERVALS),
    timezone: fc.constantFrom(...ZONES),
    day: fc.integer({ min: 0, max: 6 }),
    hour: fc.integer({ min: 0, max: 23 }),
  })
  .map(({ interval, timezone, day, hour }) => cadence(interval, timezone, day, hour));

/** Each change of the clocks in these years. */
const CHANGES = ZONES.flatMap((timezone) => {
  const found: { readonly timezone: string; readonly instant: number }[] = [];
  for (let next = Temporal.Instant.fromEpochMilliseconds(FROM).toZonedDateTimeISO(timezone); ; ) {
    const change = next.getTimeZoneTransition('next');
    if (!change || change.epochMilliseconds > TO) return found;
    found.push({ timezone, instant: change.epochMilliseconds });
    next = change;
  }
});
/** Within three days of a change. */
const nearChange = fc
  .tuple(fc.constantFrom(...CHANGES), fc.integer({ min: -72 * HOUR, max: 72 * HOUR }))
  .map(([{ timezone, instant }, off]) => ({ timezone, instant: instant + off }));

const anywhere = fc.integer({ min: FROM, max: TO }).map((instant) => ({ timezone: undefined, instant }));

describe('S1, for every schedule in 24 zones over 17 years', () => {
  it('an instant belongs to one interval, and neighbours touch it', () => {
    fc.assert(
      fc.property(anyCadence, fc.oneof(anywhere, nearChange), (any, { timezone, instant }) => {
        const c = { ...any, timezone: timezone ?? any.timezone };
        const found = intervalContaining(c, instant);
        expect(found.start).toBeLessThanOrEqual(instant);
        expect(found.end).toBeGreaterThan(instant);
        expect(intervalContaining(c, found.start)).toEqual(found);
        expect(intervalContaining(c, found.end - 1)).toEqual(found);
        expect(intervalContaining(c, found.end).start).toBe(found.end);
        expect(intervalContaining(c, found.start - 1).end).toBe(found.start);
      }),
      { numRuns: 3000, seed: 41 },
    );
  });

  it('a day begins at the first instant at which the local clock shows its hour or a later one', () => {
    const wall = (timezone: string, instant: number) =>
      Temporal.Instant.fromEpochMilliseconds(instant).toZonedDateTimeISO(timezone).toPlainDateTime();
    fc.assert(
      fc.property(nearChange, fc.integer({ min: 0, max: 23 }), ({ timezone, instant }, hour) => {
        const { start } = intervalContaining(cadence('day', timezone, 0, hour), instant);
        const shows = wall(timezone, start);
        const before = wall(timezone, start - 1);
        const [today, yesterday] = [0, 1].map((days) =>
          shows.toPlainDate().subtract({ days }).toPlainDateTime({ hour }),
        ) as [Temporal.PlainDateTime, Temporal.PlainDateTime];
        // It has just come, or a gap ends here into which it fell, today's or yesterday's.
        const fell = [today, yesterday].some(
          (wanted) =>
            Temporal.PlainDateTime.compare(before, wanted) < 0 &&
            Temporal.PlainDateTime.compare(wanted, shows) <= 0,
        );
        expect(fell).toBe(true);
      }),
      { numRuns: 2000, seed: 43 },
    );
  });

  it.each(ZONES)('days and weeks through both changes of the clocks: %s', (timezone) => {
    for (const hour of [0, 2, 3]) {
      for (const interval of ['day', 'week'] as const) {
        const c = cadence(interval, timezone, 0, hour);
        const days = interval === 'day' ? 1 : 7;
        let current = intervalContaining(c, at('2024-12-20T12:00:00Z'));
        while (current.start < at('2026-01-10T00:00:00Z')) {
          const next = intervalContaining(c, current.end);
          expect(next.start).toBe(current.end);
          const hours = (current.end - current.start) / HOUR;
          expect(Math.abs(hours - 24 * days)).toBeLessThanOrEqual(timezone === 'Antarctica/Troll' ? 2 : 1);
          current = next;
        }
      }
    }
  });
});

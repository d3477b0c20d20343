import fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import { describe, expect, it } from 'vitest';
import { type Cadence, INTERVALS, intervalContaining } from './intervals.ts';

const cadence = (interval: Cadence['interval'], timezone = 'UTC', day = 0, hour = 0): Cadence => ({
  interval,
  timezone,
  offsetSeconds: day * 86_400 + hour * 3600,
});
const at = (text: string) => Temporal.Instant.from(text).epochMilliseconds;
const shown = (c: Cadence, text: string) => {
  const { start, end } = intervalContaining(c, at(text));
  return [start, end].map((ms) => Temporal.Instant.fromEpochMilliseconds(ms).toString());
};

const CASES: [string, Cadence, string, string, string][] = [
  ['hour', cadence('hour'), '2026-03-01T10:59:59.999Z', '2026-03-01T10:00:00Z', '2026-03-01T11:00:00Z'],
  [
    'hour ignores the zone',
    cadence('hour', 'Asia/Kolkata'),
    '2026-03-01T10:30:00Z',
    '2026-03-01T10:00:00Z',
    '2026-03-01T11:00:00Z',
  ],
  [
    '5 minutes',
    cadence('every 5 minutes'),
    '2026-03-01T10:05:00Z',
    '2026-03-01T10:05:00Z',
    '2026-03-01T10:10:00Z',
  ],
  [
    '15 minutes',
    cadence('every 15 minutes'),
    '2026-03-01T10:14:59Z',
    '2026-03-01T10:00:00Z',
    '2026-03-01T10:15:00Z',
  ],
  ['day', cadence('day'), '2026-03-01T00:00:00Z', '2026-03-01T00:00:00Z', '2026-03-02T00:00:00Z'],
  [
    'day at 3 in Berlin, before 3',
    cadence('day', 'Europe/Berlin', 0, 3),
    '2026-01-10T01:59:00Z',
    '2026-01-09T02:00:00Z',
    '2026-01-10T02:00:00Z',
  ],
  [
    'day of 23 hours',
    cadence('day', 'Europe/Berlin'),
    '2026-03-29T10:00:00Z',
    '2026-03-28T23:00:00Z',
    '2026-03-29T22:00:00Z',
  ],
  [
    'day of 25 hours',
    cadence('day', 'Europe/Berlin'),
    '2026-10-25T10:00:00Z',
    '2026-10-24T22:00:00Z',
    '2026-10-25T23:00:00Z',
  ],
  [
    'begins in the hour that does not exist: after the gap',
    cadence('day', 'Europe/Berlin', 0, 2),
    '2026-03-29T01:00:00Z',
    '2026-03-29T01:00:00Z',
    '2026-03-30T00:00:00Z',
  ],
  [
    'begins in the hour that comes twice: the first',
    cadence('day', 'Europe/Berlin', 0, 2),
    '2026-10-25T00:30:00Z',
    '2026-10-25T00:00:00Z',
    '2026-10-26T01:00:00Z',
  ],
  [
    'a gap of half an hour',
    cadence('day', 'Australia/Lord_Howe', 0, 2),
    '2026-10-03T16:00:00Z',
    '2026-10-03T15:30:00Z',
    '2026-10-04T15:00:00Z',
  ],
  [
    'a day the zone skipped',
    cadence('day', 'Pacific/Apia'),
    '2011-12-30T10:00:00Z',
    '2011-12-30T10:00:00Z',
    '2011-12-31T10:00:00Z',
  ],
  [
    'before the day the zone skipped',
    cadence('day', 'Pacific/Apia'),
    '2011-12-30T09:59:59Z',
    '2011-12-29T10:00:00Z',
    '2011-12-30T10:00:00Z',
  ],
  [
    'week from Sunday',
    cadence('week'),
    '2026-03-04T10:00:00Z',
    '2026-03-01T00:00:00Z',
    '2026-03-08T00:00:00Z',
  ],
  [
    'week from Wednesday 5:00 in New York, before',
    cadence('week', 'America/New_York', 3, 5),
    '2026-03-11T08:00:00Z',
    '2026-03-04T10:00:00Z',
    '2026-03-11T09:00:00Z',
  ],
  [
    'week from Saturday',
    cadence('week', 'UTC', 6),
    '2026-03-07T00:00:00Z',
    '2026-03-07T00:00:00Z',
    '2026-03-14T00:00:00Z',
  ],
  [
    'an alias of the tz database',
    cadence('day', 'US/Pacific', 0, 2),
    '2026-01-01T12:00:00Z',
    '2026-01-01T10:00:00Z',
    '2026-01-02T10:00:00Z',
  ],
  [
    'day keeps the hour of a weekly offset',
    cadence('day', 'UTC', 3, 5),
    '2026-03-01T12:00:00Z',
    '2026-03-01T05:00:00Z',
    '2026-03-02T05:00:00Z',
  ],
  [
    'before the epoch',
    cadence('hour'),
    '1969-12-31T23:30:00Z',
    '1969-12-31T23:00:00Z',
    '1970-01-01T00:00:00Z',
  ],
];

it.each(CASES)('%s', (_, c, instant, start, end) => {
  expect(shown(c, instant)).toEqual([start, end]);
});

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
];
const FROM = at('2016-01-01T00:00:00Z');
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

describe('S1, for every schedule in 20 zones over 10 years', () => {
  it('an instant belongs to one interval, and neighbours touch it', () => {
    fc.assert(
      fc.property(anyCadence, fc.integer({ min: FROM, max: TO }), (c, instant) => {
        const found = intervalContaining(c, instant);
        expect(found.start).toBeLessThanOrEqual(instant);
        expect(found.end).toBeGreaterThan(instant);
        expect(intervalContaining(c, found.start)).toEqual(found);
        expect(intervalContaining(c, found.end - 1)).toEqual(found);
        expect(intervalContaining(c, found.end).start).toBe(found.end);
        expect(intervalContaining(c, found.start - 1).end).toBe(found.start);
      }),
      { numRuns: 3000 },
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
          expect(Math.abs(hours - 24 * days)).toBeLessThanOrEqual(1);
          current = next;
        }
      }
    }
  });
});

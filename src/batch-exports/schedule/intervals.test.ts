import { Temporal } from 'temporal-polyfill';
import { expect, it } from 'vitest';
import { type Cadence, intervalContaining } from './intervals.ts';

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
    'a gap that begins off the hour',
    cadence('day', 'Pacific/Chatham', 0, 3),
    '2026-09-26T14:00:00Z',
    '2026-09-26T14:00:00Z',
    '2026-09-27T13:15:00Z',
  ],
  [
    'a gap of two hours',
    cadence('day', 'Antarctica/Troll', 0, 2),
    '2026-03-29T01:00:00Z',
    '2026-03-29T01:00:00Z',
    '2026-03-30T00:00:00Z',
  ],
  [
    'a gap at the end of a day',
    cadence('day', 'America/Nuuk', 0, 23),
    '2026-03-29T01:00:00Z',
    '2026-03-29T01:00:00Z',
    '2026-03-30T00:00:00Z',
  ],
  [
    'clocks that go back over midnight: the day before comes again',
    cadence('day', 'America/St_Johns'),
    '2010-11-07T02:31:00Z',
    '2010-11-07T02:30:00Z',
    '2010-11-08T03:30:00Z',
  ],
  [
    'the same in a week that begins then',
    cadence('week', 'America/St_Johns'),
    '2010-11-07T02:31:00Z',
    '2010-11-07T02:30:00Z',
    '2010-11-14T03:30:00Z',
  ],
  [
    'a day the zone skipped, at three',
    cadence('day', 'Pacific/Apia', 0, 3),
    '2011-12-30T11:00:00Z',
    '2011-12-29T13:00:00Z',
    '2011-12-30T13:00:00Z',
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

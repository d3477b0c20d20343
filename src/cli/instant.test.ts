import { expect, it } from 'vitest';
import { instant } from './instant.ts';

it.each([
  ['2026-03-01', '2026-03-01T00:00:00.000Z'],
  ['2026-03-01T06:00', '2026-03-01T06:00:00.000Z'],
  ['2026-03-01T06:00:00Z', '2026-03-01T06:00:00.000Z'],
  ['2026-03-01T06:00:00+01:00', '2026-03-01T05:00:00.000Z'],
  ['2026-03-01T06:00[Europe/Berlin]', '2026-03-01T05:00:00.000Z'],
  ['2026-07-01T06:00[Europe/Berlin]', '2026-07-01T04:00:00.000Z'],
  ['2026-03-01T06:00+01:00[Europe/Berlin]', '2026-03-01T05:00:00.000Z'],
  ['2026-03-01[America/New_York]', '2026-03-01T05:00:00.000Z'],
])('%s is %s', (text, iso) => {
  expect(new Date(instant(text)).toISOString()).toBe(iso);
});

it.each([
  ['a zone that there is not', '2026-03-01T06:00[Europe/Atlantis]'],
  ['an offset that the zone does not have', '2026-03-01T06:00+05:00[Europe/Berlin]'],
  ['no zone in the brackets', '2026-03-01T06:00[u-ca=gregory]'],
  ['no time at all', 'yesterday'],
])('refuses %s', (_, text) => {
  expect(() => instant(text)).toThrow('must be a date or an ISO time');
});

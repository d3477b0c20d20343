import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventMicros, parseMicros } from './timestamps.ts';

const at = (iso: string) => Date.parse(iso) * 1000;
const now = at('2026-03-01T12:00:00Z');
const HOUR = 3_600_000_000;

describe('parseMicros', () => {
  it.each([
    ['2026-03-01T10:00:00Z', at('2026-03-01T10:00:00Z')],
    ['2026-03-01T10:00:00.123456Z', at('2026-03-01T10:00:00Z') + 123_456],
    ['2026-03-01T10:00:00.123456789Z', at('2026-03-01T10:00:00Z') + 123_456],
    ['2026-03-01T10:00:00.5+02:00', at('2026-03-01T08:00:00.500Z')],
    ['2026-03-01T10:00:00-0330', at('2026-03-01T13:30:00Z')],
    ['2026-03-01T10:00:00+03', at('2026-03-01T07:00:00Z')],
    ['2026-03-01 10:00:00.1', at('2026-03-01T10:00:00.100Z')],
    ['2026-03-01T10:00', at('2026-03-01T10:00:00Z')],
    ['2026-03-01T24:00:00Z', at('2026-03-02T00:00:00Z')],
    ['2026-12-31 24:00', at('2027-01-01T00:00:00Z')],
    ['2026-03-01T24:00:00.000000+02:00', at('2026-03-01T22:00:00Z')],
    ['2026-03-01', at('2026-03-01')],
    ['2026-3-1', at('2026-03-01')],
    ['0001-01-01T00:00:00Z', at('0001-01-01T00:00:00Z')],
    ['1772359200', at('2026-03-01T10:00:00Z')],
    ['1772359200000', at('2026-03-01T10:00:00Z')],
    [1772359200, at('2026-03-01T10:00:00Z')],
    [1772359200.25, at('2026-03-01T10:00:00.250Z')],
    [1772359200123, at('2026-03-01T10:00:00.123Z')],
    ['Sun, 01 Mar 2026 10:00:00 +0000', at('2026-03-01T10:00:00Z')],
    ['Sun, 1 Mar 2026 10:00:00 GMT', at('2026-03-01T10:00:00Z')],
    ['Sun Mar 01 2026 10:00:00 GMT+0100 (Central European Standard Time)', at('2026-03-01T09:00:00Z')],
    ['1 Mar 2026 10:00:00 EST', at('2026-03-01T15:00:00Z')],
    ['2026-03-01 10:00:00 UTC', at('2026-03-01T10:00:00Z')],
    ['2026/03/01 10:00:00', at('2026-03-01T10:00:00Z')],
    ['2026/3/1', at('2026-03-01')],
    ['3/1/2026, 10:00:00 PM', at('2026-03-01T22:00:00Z')],
    ['March 1, 2026 10:00', at('2026-03-01T10:00:00Z')],
    ['1-Mar-2026', at('2026-03-01')],
    ['3/1/2026, 10:00:00 AM GMT+1', at('2026-03-01T09:00:00Z')],
    ['Sun Mar 01 2026 10:00:00 GMT-5', at('2026-03-01T15:00:00Z')],
    ['Sun, 01 Mar 2026 10:00:00 +01', at('2026-03-01T09:00:00Z')],
    ['2026-03-01 10:00:00 -0300 -03', at('2026-03-01T13:00:00Z')],
    ['Sun Mar 01 10:00:00 UTC 2026', at('2026-03-01T10:00:00Z')],
    ['Sun Mar  1 10:00:00 2026', at('2026-03-01T10:00:00Z')],
    ['Sun Mar 01 10:00:00 +0100 2026', at('2026-03-01T09:00:00Z')],
    ['1 March, 2026 10:00', at('2026-03-01T10:00:00Z')],
    ['1960-06-01T00:00:00.25Z', at('1960-06-01T00:00:00.250Z')],
  ])('reads %s', (text, micros) => expect(parseMicros(text)).toBe(micros));

  it.each([
    '',
    'yesterday',
    'order 12',
    'order 2026',
    'order 12 2026 10:00:00 UTC',
    '12',
    '2026',
    'March 1',
    '1 Mar 26 10:00:00 GMT',
    '2026-02-30',
    '2026-03-01T25:00:00Z',
    '2026-03-01T24:00:01Z',
    '2026-03-01T24:01:00Z',
    '2026-03-01T24:00:00.000001Z',
    '2026-13-01',
    null,
    undefined,
    {},
    Number.NaN,
    1e300,
  ])('refuses %s', (value) => expect(parseMicros(value)).toBeNull());

  it('looks at no text for longer than its length is worth', () => {
    const text = `2026/3/1 1:00${'1:00'.repeat(20_000)}${'z('.repeat(20_000)}x`;
    const before = process.cpuUsage();
    expect(parseMicros(text)).toBe(null);
    // Going back over it takes hours.
    expect(process.cpuUsage(before).user).toBeLessThan(5_000_000);
  });

  it('reads back every instant it is given', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date('1900-01-01'), max: new Date('2200-01-01'), noInvalidDate: true }),
        fc.nat(999),
        (date, micros) => {
          const text = date.toISOString().replace('Z', `${String(micros).padStart(3, '0')}Z`);
          expect(parseMicros(text)).toBe(date.getTime() * 1000 + micros);
        },
      ),
    );
  });
});

describe('eventMicros', () => {
  const times = { timestamp: undefined, offset: undefined, sentAtMicros: null };

  it('is the arrival for an event without a readable time', () => {
    expect(eventMicros(times, now)).toBe(now);
    expect(eventMicros({ ...times, timestamp: 'soon' }, now)).toBe(now);
  });

  it('takes the timestamp as it is without sent_at', () => {
    expect(eventMicros({ ...times, timestamp: '2026-03-01T10:00:00Z' }, now)).toBe(now - 2 * HOUR);
  });

  it('corrects a clock that is an hour ahead', () => {
    const sentAtMicros = now + HOUR;
    expect(eventMicros({ ...times, timestamp: '2026-03-01T12:59:00Z', sentAtMicros }, now)).toBe(now - 60e6);
  });

  it('lets offset win', () => {
    expect(eventMicros({ timestamp: '2020-01-01', offset: 1500, sentAtMicros: now }, now)).toBe(
      now - 1_500_000,
    );
  });

  it('keeps 23 hours ahead and takes more for now', () => {
    expect(eventMicros({ ...times, timestamp: '2026-03-02T11:00:00Z' }, now)).toBe(now + 23 * HOUR);
    expect(eventMicros({ ...times, timestamp: '2026-03-02T11:00:00.000001Z' }, now)).toBe(now);
  });

  it('takes what ClickHouse cannot hold for the epoch', () => {
    expect(eventMicros({ ...times, timestamp: '1899-12-31T23:59:59Z' }, now)).toBe(0);
    expect(eventMicros({ ...times, timestamp: '1900-01-01' }, now)).toBe(at('1900-01-01'));
  });
});

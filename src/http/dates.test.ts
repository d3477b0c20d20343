import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDateTime, resolveDate } from './dates.ts';

const NOW = Date.parse('2021-12-05T13:23:00Z');
const resolve = (text: string, options: { zone?: string; truncate?: boolean; now?: number } = {}) =>
  resolveDate(text, { now: NOW, zone: 'UTC', ...options }).toString();

describe('contract.md §2', () => {
  it.each([
    ['-7d', '2021-11-28T13:23:00Z', '2021-11-28T00:00:00Z'],
    ['7d', '2021-11-28T13:23:00Z', '2021-11-28T00:00:00Z'],
    ['-13h', '2021-12-05T00:23:00Z', '2021-12-05T00:00:00Z'],
    ['-5h', '2021-12-05T08:23:00Z', '2021-12-05T08:00:00Z'],
    ['mStart', '2021-12-01T13:23:00Z', '2021-12-01T00:00:00Z'],
    ['-1mStart', '2021-11-01T13:23:00Z', '2021-11-01T00:00:00Z'],
    ['-1mEnd', '2021-11-30T13:23:00Z', '2021-11-30T00:00:00Z'],
    ['yStart', '2021-01-01T13:23:00Z', '2021-01-01T00:00:00Z'],
    ['yEnd', '2021-12-31T13:23:00Z', '2021-12-31T00:00:00Z'],
    ['-1m', '2021-11-05T13:23:00Z', '2021-11-05T00:00:00Z'],
    ['-30M', '2021-12-05T12:53:00Z', '2021-12-05T00:00:00Z'],
    ['-10s', '2021-12-05T13:22:50Z', '2021-12-05T00:00:00Z'],
    ['-1q', '2021-09-05T13:23:00Z', '2021-09-05T00:00:00Z'],
    ['-2w', '2021-11-21T13:23:00Z', '2021-11-21T00:00:00Z'],
    ['-1y', '2020-12-05T13:23:00Z', '2020-12-05T00:00:00Z'],
    ['dStart', '2021-12-05T00:00:00Z', '2021-12-05T00:00:00Z'],
    ['-1dEnd', '2021-12-04T23:59:59.999999Z', '2021-12-04T00:00:00Z'],
    ['hStart', '2021-12-05T13:00:00Z', '2021-12-05T00:00:00Z'],
    ['-1hEnd', '2021-12-05T12:59:59.999999Z', '2021-12-05T12:00:00Z'],
    ['-3D', '2021-12-05T13:23:00Z', '2021-12-05T00:00:00Z'],
    ['since -2d please', '2021-12-05T13:23:00Z', '2021-12-05T00:00:00Z'],
    ['(-2d)', '2021-12-03T13:23:00Z', '2021-12-03T00:00:00Z'],
    ['', '2021-12-05T13:23:00Z', '2021-12-05T13:23:00Z'],
    ['???', '2021-12-05T13:23:00Z', '2021-12-05T13:23:00Z'],
    ['2021-12-01', '2021-12-01T00:00:00Z', '2021-12-01T00:00:00Z'],
    ['2021-12-01T10:30', '2021-12-01T10:30:00Z', '2021-12-01T10:30:00Z'],
    ['2021-1-1', '2021-01-01T00:00:00Z', '2021-01-01T00:00:00Z'],
    ['20210102', '2021-01-02T00:00:00Z', '2021-01-02T00:00:00Z'],
    ['20210102T030405Z', '2021-01-02T03:04:05Z', '2021-01-02T03:04:05Z'],
    ['2021-01-02 03:04:05.123456', '2021-01-02T03:04:05.123456Z', '2021-01-02T03:04:05.123456Z'],
    ['2021-01-02T03:04:05+02:00', '2021-01-02T01:04:05Z', '2021-01-02T01:04:05Z'],
    ['2021-01-02T03:04:05 02:00', '2021-01-02T01:04:05Z', '2021-01-02T01:04:05Z'],
    ['2021-01-02T03:04:05-0530', '2021-01-02T08:34:05Z', '2021-01-02T08:34:05Z'],
  ])('%j is %s, truncated %s', (text, plain, truncated) => {
    expect(resolve(text)).toBe(plain);
    expect(resolve(text, { truncate: true })).toBe(truncated);
  });

  it.each([
    ['2021-12-01', '2021-12-01T05:00:00Z'],
    ['dStart', '2021-12-05T05:00:00Z'],
    ['2021-12-01T00:00:00Z', '2021-12-01T00:00:00Z'],
    // Across the change of clocks (2021-11-07): the same wall clock, an hour more of time.
    ['-30d', '2021-11-05T12:23:00Z'],
  ])('in New York %j is %s', (text, expected) => {
    expect(resolve(text, { zone: 'America/New_York' })).toBe(expected);
  });

  it.each([
    [
      'whose last hour comes twice',
      'America/Santiago',
      '2026-04-05T15:00:00Z',
      '2026-04-05T03:59:59.999999Z',
    ],
    ['without a last hour', 'America/Nuuk', '2026-03-29T12:00:00Z', '2026-03-29T00:59:59.999999Z'],
    ['of 25 hours', 'Europe/Berlin', '2026-10-26T12:00:00Z', '2026-10-25T22:59:59.999999Z'],
  ])('dEnd is the end of a day %s', (_, zone, now, expected) => {
    expect(resolve('-1dEnd', { zone, now: Date.parse(now) })).toBe(expected);
  });

  it('the last day of a month is clamped', () => {
    expect(resolve('-1m', { now: Date.parse('2021-03-31T10:00:00Z') })).toBe('2021-02-28T10:00:00Z');
    expect(resolve('mEnd', { now: Date.parse('2021-02-03T10:00:00Z') })).toBe('2021-02-28T10:00:00Z');
  });

  it('further back than the calendar goes is its beginning', () => {
    expect(resolve('-99999999999999d')).toBe('0001-01-01T00:00:00Z');
    expect(resolve('-9999y')).toBe('0001-01-01T00:00:00Z');
  });

  it('finds the shift after other digits, and reads any number of them once', () => {
    expect(resolve('5-3d')).toBe(resolve('-3d'));
    expect(resolve('5x3dStart')).toBe(resolve('-3dStart'));
    // Looked at from each of them, these would take half an hour.
    expect(resolve('1'.repeat(1_000_000))).toBe(resolve(''));
    expect(resolve(`${'1'.repeat(1_000_000)}d`)).toBe('0001-01-01T00:00:00Z');
  });

  it('never fails, whatever is sent, and stays between the years 1 and 9999', () => {
    const zones = fc.constantFrom('UTC', 'America/New_York', 'Asia/Kathmandu', 'Pacific/Apia');
    const texts = fc.oneof(fc.string(), fc.stringMatching(/^-?\d{0,20}[hdwmqysHDWMQY]?(Start|End)?$/));
    fc.assert(
      fc.property(texts, zones, fc.boolean(), (text, zone, truncate) => {
        const { epochMilliseconds } = resolveDate(text, { now: NOW, zone, truncate });
        expect(epochMilliseconds).toBeGreaterThanOrEqual(Date.parse('0001-01-01T00:00:00Z'));
        expect(epochMilliseconds).toBeLessThan(Date.parse('+010000-01-01T00:00:00Z'));
      }),
      { seed: 11, numRuns: 500 },
    );
  });

  it.each([
    '2026-02-30',
    '2026-13-01',
    '2026-01-01T25:00',
    'tomorrow',
    '2026-01-01T10:00+99:00',
    '',
    '0000-01-01',
    '0001-01-01T00:00:00+01:00',
    '9999-12-31T23:59:59-01:00',
  ])('%j names no moment', (text) => {
    expect(parseDateTime(text, 'UTC')).toBeNull();
  });
});

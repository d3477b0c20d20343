import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatJsonTimestamp, formatMoment, formatTimestamp } from './timestamps.ts';

describe('contract.md §1.1: timestamps', () => {
  it('says every moment that a Date can hold, microseconds only when there are any', () => {
    fc.assert(
      fc.property(fc.date({ noInvalidDate: true }), (date) => {
        const written = formatTimestamp(date);
        expect(new Date(written).getTime()).toBe(date.getTime());
        const zero = date.getUTCMilliseconds() === 0;
        expect(written).toBe(date.toISOString().replace(/\.(\d{3})Z$/, zero ? 'Z' : '.$1000Z'));
      }),
      { seed: 4 },
    );
  });

  it.each([
    ['2026-01-01T00:00:00.000Z', 0, '2026-01-01T00:00:00Z'],
    ['2026-01-01T00:00:00.120Z', 0, '2026-01-01T00:00:00.120000Z'],
    ['2026-01-01T00:00:00.123Z', 456, '2026-01-01T00:00:00.123456Z'],
    ['2026-01-01T00:00:00.000Z', 7, '2026-01-01T00:00:00.000007Z'],
  ])('%s + %i µs is %s', (date, micros, text) => {
    expect(formatTimestamp(new Date(date), micros)).toBe(text);
  });

  it('throws for an invalid date rather than write one', () => {
    expect(() => formatTimestamp(new Date(Number.NaN))).toThrow(RangeError);
  });

  it('leaves null and what is written alone', () => {
    expect(formatMoment(null)).toBeNull();
    expect(formatMoment('2026-01-01T00:00:00Z')).toBe('2026-01-01T00:00:00Z');
  });

  it('writes a timestamp from JSON of Postgres as the same moment from a Date', () => {
    const years = { min: new Date('1000-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59.999Z') };
    fc.assert(
      fc.property(fc.date({ noInvalidDate: true, ...years }), (date) => {
        // It leaves zeros at the end out.
        const json = date.toISOString().replace(/\.?0*Z$/, '');
        expect(formatJsonTimestamp(json)).toBe(formatTimestamp(date));
      }),
      { seed: 5 },
    );
  });
});

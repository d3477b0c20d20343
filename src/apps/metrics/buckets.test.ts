import { Temporal } from 'temporal-polyfill';
import { describe, expect, it } from 'vitest';
import { bucketsOf } from './buckets.ts';
import { windowOf } from './window.ts';

/** contract.md §2, §11.1: what each query covers, bucket by bucket. */

const NOW = '2021-12-05T13:23:00Z';

interface Case {
  readonly zone: string;
  readonly from?: string;
  readonly to?: string;
  readonly now?: string;
}

function buckets({ zone, from, to, now = NOW }: Case) {
  const window = windowOf({ date_from: from, date_to: to }, { now: Date.parse(now), zone }, true);
  return { window: [String(window.from), String(window.to)], ...bucketsOf(window, zone) };
}

const hoursOf = (date: string, first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, i) => `${date} ${String(first + i).padStart(2, '0')}:00:00`);

describe('the contract’s own examples', () => {
  it.each([
    ['-7d', ['2021-11-28T00:00:00Z', NOW], ['2021-11-28', '2021-12-05'], 8],
    ['mStart', ['2021-12-01T00:00:00Z', NOW], ['2021-12-01', '2021-12-05'], 5],
    ['-1mStart', ['2021-11-01T00:00:00Z', NOW], ['2021-11-01', '2021-12-05'], 35],
    ['yStart', ['2021-01-01T00:00:00Z', NOW], ['2021-01-01', '2021-12-05'], 339],
    ['2021-12-01', ['2021-12-01T00:00:00Z', NOW], ['2021-12-01', '2021-12-05'], 5],
    [undefined, ['2021-11-05T00:00:00Z', NOW], ['2021-11-05', '2021-12-05'], 31],
    // From midnight two days ago it is more than two days.
    ['-2d', ['2021-12-03T00:00:00Z', NOW], ['2021-12-03', '2021-12-05'], 3],
  ])('%s in UTC', (from, window, ends, count) => {
    const found = buckets({ zone: 'UTC', ...(from && { from }) });
    expect(found).toMatchObject({ unit: 'day', window });
    expect([found.labels[0], found.labels.at(-1)]).toEqual(ends);
    expect(found.labels).toHaveLength(count);
  });

  it('-13h to -5h is nine hours', () => {
    const found = buckets({ zone: 'UTC', from: '-13h', to: '-5h' });
    expect(found.window).toEqual(['2021-12-05T00:00:00Z', '2021-12-05T08:00:00Z']);
    expect(found.labels).toEqual(hoursOf('2021-12-05', 0, 8));
  });

  it.each([
    ['2021-12-03T13:23:00', 'day'],
    ['2021-12-03T13:23:01', 'hour'],
    ['-47h', 'hour'],
    ['-48h', 'day'],
  ])('two days from %s are days, less are hours', (from, unit) => {
    expect(buckets({ zone: 'UTC', from }).unit).toBe(unit);
  });
});

describe('in other zones', () => {
  it.each([
    // 13:23 UTC is 19:08 in Kathmandu and 08:23 in New York.
    ['Asia/Kathmandu', '-7d', '2021-11-27T18:15:00Z', ['2021-11-28', '2021-12-05'], 8],
    ['America/New_York', '-7d', '2021-11-28T05:00:00Z', ['2021-11-28', '2021-12-05'], 8],
    ['America/New_York', '-30d', '2021-11-05T04:00:00Z', ['2021-11-05', '2021-12-05'], 31],
    ['Pacific/Kiritimati', '-7d', '2021-11-28T10:00:00Z', ['2021-11-29', '2021-12-06'], 8],
  ])('%s %s', (zone, from, start, ends, count) => {
    const found = buckets({ zone, from });
    expect(found).toMatchObject({ unit: 'day', window: [start, NOW] });
    expect([found.labels[0], found.labels.at(-1)]).toEqual(ends);
    expect(found.labels).toHaveLength(count);
  });

  it('hours begin at the zone’s own full hours', () => {
    const found = buckets({ zone: 'Asia/Kathmandu', from: '-3h' });
    expect(found.labels).toEqual(hoursOf('2021-12-05', 16, 19));
    expect(found.starts?.[0]).toBe(Date.parse('2021-12-05T10:15:00Z') / 1000);
  });

  it.each([
    [
      'spring: 02:00 is skipped',
      '2021-03-14',
      [...hoursOf('2021-03-14', 0, 1), ...hoursOf('2021-03-14', 3, 23)],
    ],
    [
      'autumn: 01:00 comes twice',
      '2021-11-07',
      [...hoursOf('2021-11-07', 0, 1), ...hoursOf('2021-11-07', 1, 23)],
    ],
  ])('New York, %s', (_, date, labels) => {
    const found = buckets({ zone: 'America/New_York', from: date, to: `${date}T23:59` });
    expect(found.labels).toEqual(labels);
    const starts = found.starts ?? [];
    expect(starts.slice(1).map((start, i) => start - (starts[i] ?? 0))).toEqual(
      labels.slice(1).map(() => 3600),
    );
  });

  it('half an hour set back is a bucket of its own', () => {
    const found = buckets({ zone: 'Australia/Lord_Howe', from: '2021-04-04T00:30', to: '2021-04-04T03:00' });
    expect(found.labels).toEqual(
      ['00:00:00', '01:00:00', '01:30:00', '02:00:00', '03:00:00'].map((t) => `2021-04-04 ${t}`),
    );
    expect(found.starts).toEqual(found.starts?.toSorted((a, b) => a - b));
  });
});

it('days begin at their own midnight, and one that never was is none', () => {
  const found = buckets({ zone: 'Pacific/Apia', from: '2011-12-28', to: '2012-01-01' });
  expect(found.labels).toEqual(['2011-12-28', '2011-12-29', '2011-12-31', '2012-01-01']);
  expect(found.starts?.map((start) => new Date(start * 1000).toISOString().slice(0, 13))).toEqual([
    '2011-12-28T10',
    '2011-12-29T10',
    '2011-12-30T10',
    '2011-12-31T10',
  ]);
});

it.each([
  ['before it begins', '2021-12-05', '2021-12-01', 0],
  ['where it begins', '2021-12-05', '2021-12-05', 1],
  ['beyond all calendars', '0001-01-01', '9999-12-31', 146_097],
])('a window that ends %s', (_, from, to, count) => {
  expect(buckets({ zone: 'UTC', from, to }).labels).toHaveLength(count);
});

it('every quarter of an hour lies in the bucket of its own wall-clock hour', () => {
  for (const zone of ['UTC', 'Asia/Kathmandu', 'America/New_York', 'Australia/Lord_Howe']) {
    // Around the changes of all of them.
    for (const day of ['03-13', '03-14', '04-03', '04-04', '10-02', '10-03', '11-06', '11-07']) {
      const from = Temporal.Instant.from(`2021-${day}T00:00Z`);
      const found = bucketsOf({ from, to: from.add({ hours: 30 }) }, zone);
      for (let quarter = 0; quarter < 120; quarter += 1) {
        const at = from.add({ minutes: 15 * quarter });
        const index = (found.starts ?? []).findLastIndex((start) => start * 1000 <= at.epochMilliseconds);
        const wall = at.toZonedDateTimeISO(zone).toPlainDateTime().toString().replace('T', ' ');
        expect(found.labels[index]?.slice(0, 13), `${zone} ${at}`).toBe(wall.slice(0, 13));
      }
    }
  }
});

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Region } from '../../src/database/tables.ts';
import { bulkEvents } from '../../src/demo/bulk.ts';
import { eventsSource } from '../../src/export/models/events.ts';
import { distinctRows } from '../../src/export/models/rows.ts';
import { alone, WHOLE } from '../../src/export/slices.ts';
import type { RunSpec } from '../../src/export/spec.ts';
import { readEvents } from '../kit/duckdb.ts';
import { startTestWarehouse, type TestWarehouse } from '../kit/warehouse.ts';
import {
  type EventRow,
  eventRow,
  exportWith,
  HOUR,
  insertEvents,
  liveSpec,
  openPlace,
  PLAIN_FILES,
  recorder,
  START,
} from './fixture.ts';

let embedded: TestWarehouse;
let team = 0;
beforeAll(async () => {
  embedded = await startTestWarehouse();
});
afterAll(() => embedded.close());

/** The rows that a run over these events exports, as DuckDB reads them; the proof has been checked. */
async function exported(rows: readonly EventRow[], change: Partial<RunSpec> = {}, insert = true) {
  const place = await openPlace();
  try {
    if (insert) await insertEvents(embedded.warehouse, ++team, rows);
    const observer = recorder();
    const outcome = await exportWith(embedded.warehouse, place, liveSpec(team, change), PLAIN_FILES, {
      observer,
    });
    const found = outcome.rows === 0 ? [] : await readEvents(place.root);
    expect(found).toHaveLength(outcome.rows);
    expect(observer.totals).toEqual([outcome.rows]);
    expect(outcome.proof.source.rows).toBe(outcome.rows);
    return found;
  } finally {
    place.remove();
  }
}

const EVERYTHING: Region = { arrivalFrom: null, arrivalTo: null, eventFrom: null, eventTo: null };

const uuids = (rows: readonly { readonly uuid: string }[]) => rows.map(({ uuid }) => uuid).toSorted();

/** The rows that a run would read; quicker than running it. */
async function chosen(change: Partial<RunSpec>): Promise<string[]> {
  const { table, where } = eventsSource(liveSpec(team, change));
  const sql = `SELECT uuid FROM ${table} WHERE ${where.sql}`;
  return uuids(await embedded.warehouse.rows<{ uuid: string }>({ sql, params: where.params }));
}

describe('which rows a run exports', () => {
  it('takes arrival half open, to the microsecond', async () => {
    const at = (n: number, micros: number) => eventRow(n, { inserted_at: START * 1000 + micros });
    const rows = [at(0, -1), at(1, 0), at(2, 1), at(3, HOUR * 1000 - 1), at(4, HOUR * 1000)];
    expect(uuids(await exported(rows))).toEqual(uuids(rows.slice(1, 4)));
  });

  it('takes event time half open, to the microsecond, and only what arrived before the bound', async () => {
    const region: Region = { arrivalFrom: null, arrivalTo: START, eventFrom: START - HOUR, eventTo: START };
    const at = (n: number, event: number, arrival = -1) =>
      eventRow(n, { timestamp: START * 1000 + event, inserted_at: START * 1000 + arrival });
    const hour = HOUR * 1000;
    const rows = [at(0, -hour - 1), at(1, -hour), at(2, -1), at(3, 0), at(4, -5, 0), at(5, -5, -1)];
    expect(uuids(await exported(rows, { region }))).toEqual(uuids([1, 2, 5].map((n) => rows[n] as EventRow)));
  });

  it('falls back to the older arrival stamp where the newer one is missing', async () => {
    const rows = [
      eventRow(0, { inserted_at: null, _timestamp: START * 1000 }),
      eventRow(1, { inserted_at: null, _timestamp: (START - 1000) * 1000 }),
    ];
    expect(uuids(await exported(rows))).toEqual(uuids(rows.slice(0, 1)));
  });

  it('exports events that come months late', async () => {
    const rows = [eventRow(0, { timestamp: (START - 300 * 24 * HOUR) * 1000 })];
    expect(uuids(await exported(rows))).toEqual(uuids(rows));
  });

  it('finds events on both sides of 1970 and of 2149, where the days of the key start anew', async () => {
    const days = [
      '1955-01-01',
      '1960-02-01',
      '1969-12-31',
      '1970-01-01',
      '1970-01-02',
      '2010-05-05',
      '2020-01-01',
      '2149-06-06',
      '2149-06-07',
      '2205-05-05',
    ];
    const rows = days.map((day, n) => eventRow(n, { timestamp: Date.parse(day) * 1000 }));
    expect(uuids(await exported(rows))).toEqual(uuids(rows));
    const ranges: [string | null, string | null][] = [
      [null, '1960-01-01'],
      [null, '1970-01-01'],
      [null, '1970-01-02'],
      [null, '2015-01-01'],
      ['1900-01-01', '2015-01-01'],
      ['1900-01-01', null],
      ['1960-01-01', '1970-01-01'],
      ['1969-12-31', '1970-01-02'],
      ['1970-01-01', null],
      ['1970-01-02', '2021-01-01'],
      ['2010-01-01', null],
      ['2010-01-01', '2149-06-06'],
      ['2010-01-01', '2149-06-07'],
      ['2010-01-01', '2149-06-08'],
      ['2010-01-01', '2230-01-01'],
      ['2149-06-07', '2149-06-08'],
      ['2149-06-07', null],
      ['2200-01-01', '2230-01-01'],
    ];
    const moment = (day: string | null) => (day === null ? null : Date.parse(day));
    for (const [from, to] of ranges) {
      const region: Region = {
        arrivalFrom: null,
        arrivalTo: null,
        eventFrom: moment(from),
        eventTo: moment(to),
      };
      const inside = rows.filter((_, n) => {
        const day = days[n] ?? '';
        return (from === null || day >= from) && (to === null || day < to);
      });
      expect(await chosen({ region }), `${from} to ${to}`).toEqual(uuids(inside));
      const others = rows.filter((row) => !inside.includes(row));
      const left = await chosen({ region: EVERYTHING, excludes: [region] });
      expect(left, `without ${from} to ${to}`).toEqual(uuids(others));
    }
  });

  it('keeps to the project', async () => {
    const rows = [eventRow(0)];
    await exported(rows);
    expect(await exported([], { teamId: team + 1_000_000 }, false)).toEqual([]);
  });

  it('includes and excludes events by name, both at once', async () => {
    const names = ['a', "b'; --", 'c\\', 'ü'];
    const rows = names.map((event, n) => eventRow(n, { event }));
    const of = async (change: Partial<RunSpec>) =>
      (await exported(rows, change)).map(({ event }) => event).toSorted();
    expect(await of({ includeEvents: ["b'; --", 'ü'] })).toEqual(["b'; --", 'ü']);
    expect(await of({ excludeEvents: ['c\\'] })).toEqual(['a', "b'; --", 'ü']);
    expect(await of({ includeEvents: ['a', 'ü'], excludeEvents: ['a'] })).toEqual(['ü']);
  });

  it('takes hundreds of names and holes', async () => {
    const excludes = Array.from({ length: 500 }, (_, n) => ({
      arrivalFrom: START + n,
      arrivalTo: START + n + 1,
      eventFrom: 0,
      eventTo: 1,
    }));
    const excludeEvents = Array.from({ length: 1000 }, (_, n) => `the event with the number ${n}`);
    expect(await exported([eventRow(0), eventRow(1)], { excludes, excludeEvents })).toHaveLength(2);
  });

  it('is the region minus the excludes, for any rectangles', async () => {
    const instant = fc.integer({ min: 0, max: 8 });
    const bound = fc.option(instant.map((hour) => START + hour * HOUR));
    const region: fc.Arbitrary<Region> = fc.record({
      arrivalFrom: bound,
      arrivalTo: bound,
      eventFrom: bound,
      eventTo: bound,
    });
    // On the bounds, a microsecond before and after, on both axes.
    const offsets = [-1, 0, 1].flatMap((a) => [-1, 0, 1].map((e) => [a, e] as const));
    const rows = Array.from({ length: 81 }, (_, cell) =>
      offsets.map(([a, e], k) =>
        eventRow(cell * 9 + k, {
          inserted_at: (START + Math.floor(cell / 9) * HOUR) * 1000 + a,
          timestamp: (START + (cell % 9) * HOUR) * 1000 + e,
        }),
      ),
    ).flat();
    await insertEvents(embedded.warehouse, ++team, rows);
    await fc.assert(
      fc.asyncProperty(region, fc.array(region, { maxLength: 4 }), async (wanted, excludes) => {
        const inside = (row: EventRow, { arrivalFrom, arrivalTo, eventFrom, eventTo }: Region) =>
          within(row.inserted_at as number, arrivalFrom, arrivalTo) &&
          within(row.timestamp, eventFrom, eventTo);
        const expected = rows.filter(
          (row) => inside(row, wanted) && !excludes.some((hole) => inside(row, hole)),
        );
        expect(uuids(await exported([], { region: wanted, excludes }, false))).toEqual(uuids(expected));
      }),
      { numRuns: 40, seed: 1 },
    );
  });
});

it('reads only the part of the table that arrived in the interval', async () => {
  const day = { from: new Date(START - 24 * HOUR), to: new Date(START + 24 * HOUR) };
  // Parts arrive one after the other, each within its six hours; merged ones would hold all of them, sooner or later.
  await embedded.warehouse.command({ sql: 'SYSTEM STOP MERGES events' });
  for (let hour = -24; hour < 24; hour += 6) {
    const arrivals = { from: new Date(START + hour * HOUR), to: new Date(START + (hour + 6) * HOUR) };
    await embedded.warehouse.command(
      bulkEvents({
        rows: 10_000,
        offset: hour * 10_000 + 240_000,
        seed: 1,
        teamId: 999,
        timestamps: day,
        arrivals,
      }),
    );
  }
  const rows = distinctRows(eventsSource(liveSpec(999)), alone(WHOLE), 'none');
  const plan = await embedded.warehouse.rows<{ explain: string }>({
    sql: `EXPLAIN indexes = 1 ${rows.sql}`,
    params: rows.params,
    settings: { use_skip_indexes_on_data_read: 0 },
  });
  await embedded.warehouse.command({ sql: 'SYSTEM START MERGES events' });
  const text = plan.map(({ explain }) => explain).join(' ');
  const [, left, all] = /Name: inserted .*?Granules: (\d+)\/(\d+)/.exec(text) ?? [];
  expect(Number(all)).toBeGreaterThan(0);
  expect(Number(left)).toBeLessThan(Number(all) / 2);
});

it('reads nothing of the months before a range without an end', async () => {
  const months = ['2025-11-05', '2025-12-05', '2026-01-05', '2026-02-05'];
  // Between the two looks at the parts none may become of several.
  await embedded.warehouse.command({ sql: 'SYSTEM STOP MERGES events' });
  const rows = months.map((day, n) => eventRow(n, { timestamp: Date.parse(day) * 1000 }));
  await insertEvents(embedded.warehouse, ++team, rows);
  const region = { ...EVERYTHING, eventFrom: Date.parse('2026-01-20') };
  const { table, where } = eventsSource(liveSpec(team, { region }));
  const later = await embedded.warehouse.rows<{ parts: string }>({
    sql: `SELECT uniqExact(_part) AS parts FROM ${table} WHERE identity(timestamp) >= '2026-01-20'`,
  });
  expect(await chosen({ region })).toEqual(uuids(rows.slice(3)));
  const plan = await embedded.warehouse.rows<{ explain: string }>({
    sql: `EXPLAIN indexes = 1 SELECT uuid FROM ${table} WHERE ${where.sql}`,
    params: where.params,
  });
  await embedded.warehouse.command({ sql: 'SYSTEM START MERGES events' });
  const [, read] = /Parts: (\d+)\/\d+/.exec(plan.map(({ explain }) => explain).join(' ')) ?? [];
  expect(Number(read)).toBe(Number(later[0]?.parts));
});

describe('duplicates', () => {
  it('exports a row that is stored twice once, the newest version, whichever came first', async () => {
    const older = eventRow(1, { properties: '{"v":1}' });
    const newer = eventRow(1, { properties: '{"v":2}', _timestamp: older._timestamp + 5e6 });
    const others = [eventRow(2), eventRow(3)];
    for (const rows of [
      [older, newer, ...others],
      [newer, ...others, older],
    ]) {
      const found = await exported(rows);
      expect(uuids(found)).toEqual(uuids([older, ...others]));
      expect(found.find(({ uuid }) => uuid === older.uuid)?.properties).toBe('{"v":2}');
    }
  });

  it('keeps rows that share a uuid but not the event or the user', async () => {
    const row = eventRow(1, { event: 'a', distinct_id: 'x' });
    const rows = [row, { ...row, event: 'b' }, { ...row, distinct_id: 'y' }, row];
    const found = await exported(rows);
    expect(found.map(({ event, distinct_id }) => `${event} ${distinct_id}`).toSorted()).toEqual([
      'a x',
      'a y',
      'b x',
    ]);
  });

  it('counts a duplicate only where both copies belong to the run', async () => {
    const row = eventRow(1);
    const late = { ...row, inserted_at: (START + HOUR) * 1000, timestamp: row.timestamp - 86_400e6 };
    expect(await exported([row, late])).toHaveLength(1);
  });
});

const within = (micros: number, from: number | null, to: number | null): boolean =>
  (from === null || micros >= from * 1000) && (to === null || micros < to * 1000);

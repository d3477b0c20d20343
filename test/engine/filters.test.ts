import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventsSource } from '../../src/export/models/events.ts';
import { momentOf } from '../../src/export/models/filter-moment.ts';
import { readEvents } from '../kit/duckdb.ts';
import { startTestWarehouse, type TestWarehouse } from '../kit/warehouse.ts';
import { eventRow, exportWith, insertEvents, liveSpec, openPlace, PLAIN_FILES, START } from './fixture.ts';

/** Filters of contract.md §3, evaluated by the engine on real rows. */
const TEAM = 1;
const SQL = `'); DROP TABLE events; -- {x:String} \\' "`;

/** Rows by name: their properties as JSON text. */
const ROWS: Readonly<Record<string, string>> = {
  ten: '{"v":10}',
  tenText: '{"v":"10"}',
  tenFloat: '{"v":10.0}',
  nine: '{"v":"9"}',
  minus: '{"v":-3.5}',
  firefox: '{"v":"Firefox"}',
  unicode: '{"v":"Ünïcode 🦊"}',
  escaped: '{"v":"\\u0046irefox\\n\\"x\\""}',
  sql: JSON.stringify({ v: SQL }),
  empty: '{"v":""}',
  null: '{"v":null}',
  missing: '{"w":1}',
  true: '{"v":true}',
  list: '{"v":["a","b"]}',
  object: '{"v":{"a":1}}',
  date: '{"v":"2026-02-10T12:00:00Z"}',
  day: '{"v":"2026-02-10"}',
  later: '{"v":"2026-02-20 08:30:00"}',
  none: '',
  broken: '{"v":"10"',
};
const NAMES = Object.keys(ROWS);
const NUMBERS = ['ten', 'tenText', 'tenFloat', 'nine', 'minus'];
const UNSET = ['null', 'missing', 'none', 'broken'];
const all = (...but: string[]) => NAMES.filter((name) => !but.includes(name));

let embedded: TestWarehouse;
beforeAll(async () => {
  embedded = await startTestWarehouse();
  const rows = NAMES.map((name, n) =>
    eventRow(n, { event: name, properties: ROWS[name] ?? '', person_properties: `{"plan":"${name}"}` }),
  );
  await insertEvents(embedded.warehouse, TEAM, rows);
});
afterAll(() => embedded.close());

async function accepted(...filters: Record<string, unknown>[]): Promise<string[]> {
  const { where } = eventsSource(liveSpec(TEAM, { filters }));
  const rows = await embedded.warehouse.rows<{ event: string }>({
    sql: `SELECT event FROM events WHERE ${where.sql}`,
    params: where.params,
  });
  const found = rows.map(({ event }) => event);
  return NAMES.filter((name) => found.includes(name));
}

const cases: readonly [operator: string, value: unknown, accepted: readonly string[]][] = [
  // The engine prints 10.0 as 10.
  ['exact', '10', ['ten', 'tenText', 'tenFloat']],
  ['exact', 10, ['ten', 'tenText', 'tenFloat']],
  ['exact', ['Firefox', 'none of them'], ['firefox']],
  ['exact', 'firefox', []],
  ['exact', 'Firefox\n"x"', ['escaped']],
  ['exact', SQL, ['sql']],
  ['exact', 'Ünïcode 🦊', ['unicode']],
  ['exact', '', ['empty']],
  ['exact', true, ['true']],
  ['exact', 'true', ['true']],
  ['exact', '["a","b"]', ['list']],
  ['exact', '{"a":1}', ['object']],
  ['exact', [], NAMES],
  ['in', ['9', 'Firefox'], ['nine', 'firefox']],
  ['is_not', 'Firefox', all('firefox')],
  ['is_not', ['10', '9'], all('ten', 'tenText', 'tenFloat', 'nine')],
  ['is_not', [], NAMES],
  ['not_in', ['Firefox', ''], all('firefox', 'empty')],
  ['icontains', 'FIRE', ['firefox', 'escaped']],
  ['icontains', 'ÜNÏ', ['unicode']],
  ['icontains', '%', []],
  ['icontains', '_', []],
  ['icontains', '', all(...UNSET)],
  ['icontains', ['nothing', ''], all(...UNSET)],
  ['not_icontains', '', UNSET],
  ['icontains', 'drop table', ['sql']],
  ['icontains', ['fire', '🦊'], ['firefox', 'unicode', 'escaped']],
  ['not_icontains', 'fire', all('firefox', 'escaped')],
  ['regex', '^Fire', ['firefox', 'escaped']],
  ['regex', '^\\d+$', ['ten', 'tenText', 'tenFloat', 'nine']],
  ['not_regex', '.', ['empty', ...UNSET]],
  ['gt', 9, ['ten', 'tenText', 'tenFloat']],
  ['gt', '9', ['ten', 'tenText', 'tenFloat']],
  ['gte', 9, ['ten', 'tenText', 'tenFloat', 'nine']],
  ['min', 9, ['ten', 'tenText', 'tenFloat', 'nine']],
  ['lt', 0, ['minus']],
  ['lte', 9, ['nine', 'minus']],
  ['max', 9, ['nine', 'minus']],
  ['gt', [9.5, 9], ['ten', 'tenText', 'tenFloat']],
  ['gt', [10, 9], ['ten', 'tenText', 'tenFloat']],
  ['min', ['10', 'Ü'], ['ten', 'tenText', 'tenFloat', 'unicode']],
  ['lte', [-10, -3.5, 9], ['nine', 'minus']],
  ['gt', [], NAMES],
  ['max', [], NAMES],
  ['between', [], NAMES],
  ['is_set', [], all(...UNSET)],
  ['between', [9, 10], ['ten', 'tenText', 'tenFloat', 'nine']],
  ['not_between', ['9', '10'], ['minus']],
  ['is_set', null, all(...UNSET)],
  ['is_not_set', null, UNSET],
  ['is_date_exact', '2026-02-10', ['day']],
  ['is_date_exact', '2026-02-10T13:00:00+01:00', ['date']],
  ['is_date_before', '2026-02-20', ['date', 'day']],
  ['is_date_before', '2026-02-10', []],
  ['is_date_before', '2026-02-11', ['date', 'day']],
  ['is_date_after', '2026-02-10', ['date', 'later']],
  ['is_date_after', '2026-02-09', ['date', 'day', 'later']],
  ['is_date_before', '-30s', ['date', 'day', 'later']],
  ['is_date_after', '-5M', []],
  ['is_date_after', '-15d', ['later']],
  ['is_date_after', ['2026-03-01', '-15d'], ['later']],
  ['is_date_exact', ['2026-02-10T12:00:00Z', '2026-02-20T08:30:00Z'], ['date', 'later']],
  ['is_date_before', [], all(...NUMBERS)],
];

describe('every operator of contract.md §3', () => {
  it.each(cases)('%s %j', async (operator, value, expected) => {
    const found = await accepted({ type: 'event', key: 'v', operator, value });
    // Numbers are read as dates, too, by who looks for dates; that is not what these cases are about.
    const without = operator.startsWith('is_date') ? NUMBERS : [];
    expect(found.filter((name) => !without.includes(name))).toEqual(
      NAMES.filter((name) => expected.includes(name)),
    );
  });

  it('has exact as its default', async () => {
    expect(await accepted({ type: 'event', key: 'v', value: 'Firefox' })).toEqual(['firefox']);
  });

  it("looks at the event's own person properties", async () => {
    expect(
      await accepted({ type: 'person', key: 'plan', operator: 'exact', value: ['list', 'day'] }),
    ).toEqual(['list', 'day']);
  });

  it('joins filters by AND', async () => {
    const [set, number] = [
      { type: 'event', key: 'v', operator: 'is_set' },
      { type: 'person', key: 'plan', operator: 'icontains', value: 'TEN' },
    ];
    expect(await accepted(set, number)).toEqual(['ten', 'tenText', 'tenFloat']);
  });

  it('takes keys as they are', async () => {
    expect(await accepted({ type: 'event', key: SQL, operator: 'is_set' })).toEqual([]);
    expect(await accepted({ type: 'event', key: SQL, operator: 'is_not_set' })).toEqual(NAMES);
  });
});

it('is_not is the complement of exact, for every JSON value', async () => {
  const value = fc.oneof(
    fc.string(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    fc.boolean(),
  );
  await fc.assert(
    fc.asyncProperty(fc.oneof(value, fc.array(value, { minLength: 1, maxLength: 4 })), async (wanted) => {
      const yes = await accepted({ type: 'event', key: 'v', operator: 'exact', value: wanted });
      const no = await accepted({ type: 'event', key: 'v', operator: 'is_not', value: wanted });
      expect([...yes, ...no].toSorted()).toEqual(NAMES.toSorted());
    }),
    { seed: 17, numRuns: 40 },
  );
});

describe('properties that are not what they seem', () => {
  const OTHER = 2;
  const rows: Readonly<Record<string, string>> = {
    both: '{"$exception_types":["TypeError","Error"],"$exception_values":["boom","a \\"b\\""]}',
    asText: JSON.stringify({ $exception_types: '["RangeError"]' }),
    empty: '{"$exception_types":[]}',
    numbers: '{"$exception_types":[10]}',
    text: '{"$exception_types":"TypeError"}',
    button: '{}',
    without: '',
  };
  const names = Object.keys(rows);
  beforeAll(async () => {
    const stored = names.map((event, n) =>
      eventRow(n, {
        event,
        properties: rows[event] ?? '',
        elements_chain: event === 'button' ? 'a.nav:text="Buy"' : '',
      }),
    );
    await insertEvents(embedded.warehouse, OTHER, stored);
  });
  const types = (operator: string, value: unknown) => ({ key: '$exception_types', operator, value });
  const chain = (operator: string, value: unknown) => ({ key: '$elements_chain', operator, value });
  const but = (...some: string[]) => names.filter((name) => !some.includes(name));

  it.each<[object, string[]]>([
    [types('exact', 'TypeError'), ['both']],
    [types('exact', ['TypeError', 'RangeError']), ['both', 'asText']],
    [types('exact', 10), ['numbers']],
    [types('icontains', 'type'), ['both']],
    [types('regex', '^Range'), ['asText']],
    [types('gt', 9), ['numbers']],
    [types('is_not', 'Error'), but('both')],
    [types('not_icontains', ['type', 'RANGE']), but('both', 'asText')],
    [types('not_regex', 'Error'), but('both', 'asText')],
    [types('exact', []), names],
    [types('is_set', null), ['both', 'asText', 'empty', 'numbers', 'text']],
    [types('is_not_set', null), ['button', 'without']],
    [{ key: '$exception_values', value: 'a "b"' }, ['both']],
    [{ key: '$exception_values', operator: 'is_not', value: 'boom' }, but('both')],
    [chain('icontains', 'buy'), ['button']],
    [chain('not_icontains', 'buy'), but('button')],
    [chain('regex', '^a\\.nav'), ['button']],
    [chain('is_set', null), ['button']],
    [chain('is_not_set', null), but('button')],
  ])('%j', async (filter, expected) => {
    const { where } = eventsSource(liveSpec(OTHER, { filters: [{ type: 'event', ...filter }] }));
    const sql = `SELECT event FROM events WHERE ${where.sql}`;
    const found = await embedded.warehouse.rows<{ event: string }>({ sql, params: where.params });
    expect(found.map(({ event }) => event).toSorted()).toEqual(expected.toSorted());
  });

  it.each(['event', 'person'])('computed ones cannot be asked for: %s', (type) => {
    const filters = [{ type, key: '$virt_is_bot', operator: 'exact', value: 'true' }];
    expect(() => eventsSource(liveSpec(OTHER, { filters }))).toThrow(/\$virt_is_bot.*computes/);
  });
});

it.each<[string, number]>([
  ['-30s', 30_000],
  ['30s', 30_000],
  ['-2M', 120_000],
  ['-2h', 7_200_000],
  ['-2q', 182 * 86_400_000],
  ...[...'HDWQY'].map((unit): [string, number] => [`-3${unit}`, 0]),
])('%s is %i ms before the interval ends (contract.md §2)', (text, ms) => {
  expect(momentOf(text, START)).toBe(START - ms);
});

describe('a filter that cannot be evaluated', () => {
  it.each([
    [{ type: 'event', key: 'v', operator: 'like', value: 'x' }, 'filter_invalid'],
    [{ type: 'event', key: 'v', operator: ['exact'], value: 'x' }, 'filter_invalid'],
    [{ type: 'event', operator: 'exact', value: 'x' }, 'filter_invalid'],
    [{ type: 'event', key: 'v', operator: 'between', value: [1] }, 'filter_invalid'],
    [{ type: 'event', key: 'v', operator: 'gt' }, 'filter_invalid'],
    [{ type: 'event', key: 'v', operator: 'is_date_after', value: 'soon' }, 'filter_invalid'],
    [{ type: 'event', key: 'v', operator: 'is_date_after', value: ['2026-01-01', 'soon'] }, 'filter_invalid'],
    [{ type: 'event', key: 'v', operator: 'is_date_after' }, 'filter_invalid'],
    [{ type: 'event', key: 'v', operator: 'regex', value: '(' }, 'filter_invalid'],
    [{ type: 'event', key: '$virt_is_bot', value: 'true' }, 'filter_invalid'],
    [{ type: 'hogql', key: '1 = 1' }, 'model_not_available'],
  ])('%j fails the run as %s and writes nothing', async (filter, code) => {
    const place = await openPlace();
    try {
      const run = exportWith(embedded.warehouse, place, liveSpec(TEAM, { filters: [filter] }), PLAIN_FILES);
      await expect(run).rejects.toMatchObject({ code, kind: 'user' });
    } finally {
      place.remove();
    }
  });
});

it('a filtered run counts, writes and proves only what was accepted', async () => {
  const place = await openPlace();
  try {
    const filters = [{ type: 'event', key: 'v', operator: 'gte', value: 9 }];
    const outcome = await exportWith(embedded.warehouse, place, liveSpec(TEAM, { filters }), PLAIN_FILES);
    expect(outcome.proof.source.rows).toBe(4);
    expect(outcome.proof.reread).toEqual(outcome.proof.source);
    expect(await readEvents(place.root)).toHaveLength(4);
  } finally {
    place.remove();
  }
});

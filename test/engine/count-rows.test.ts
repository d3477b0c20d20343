import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkQuery } from '../../src/export/models/hogql/check.ts';
import { type CountLimits, createRowCounter } from '../../src/export/models/hogql/count.ts';
import { createQueryParser } from '../../src/export/models/hogql/parser.ts';
import { printQuery } from '../../src/export/models/hogql/print/print.ts';
import { startTestWarehouse, type TestWarehouse } from '../kit/warehouse.ts';
import { eventRow, HOUR, insertEvents, START } from './fixture.ts';

/** contract.md §9, `count_rows`: user queries over the project's own rows, on the real engine. */
const MINE = 7;
const THEIRS = 8;
const HOURS = 9;
const AUTUMN = 10;
const ROWS = 60;
const parser = createQueryParser();
let warehouse: TestWarehouse;

beforeAll(async () => {
  warehouse = await startTestWarehouse();
  const mine = Array.from({ length: ROWS }, (_, n) => eventRow(n));
  const theirs = Array.from({ length: 500 }, (_, n) => eventRow(n, { event: 'secret', distinct_id: 'them' }));
  await insertEvents(warehouse.warehouse, MINE, mine);
  await insertEvents(warehouse.warehouse, THEIRS, theirs);
  const hourly = (from: number, hours: number) =>
    Array.from({ length: hours }, (_, n) => eventRow(n, { timestamp: (from + n * HOUR) * 1000 }));
  await insertEvents(warehouse.warehouse, HOURS, hourly(Date.UTC(2026, 2, 1), 72));
  await insertEvents(warehouse.warehouse, AUTUMN, hourly(Date.UTC(2025, 9, 25, 23), 4));
});
afterAll(async () => {
  await parser.close();
  await warehouse.close();
});

const read = async (text: string) => checkQuery(await parser.parse(text, MINE));

async function count(text: string, more: { timezone?: string; limits?: CountLimits } = {}): Promise<number> {
  const of = { teamId: MINE, timezone: more.timezone ?? 'UTC', start: START, end: START + 30_000 };
  return createRowCounter(warehouse.warehouse, more.limits)(await read(text), of);
}

/** Takes longer than a microsecond. */
const SLOW = `SELECT a FROM (SELECT extract(lower(properties), '(.*)x') AS a FROM events ${'UNION ALL SELECT properties AS a FROM events '.repeat(20)})`;

const refused = { code: 'invalid_input', attr: 'hogql_query' };

const COUNTED: readonly [rows: number, query: string][] = [
  [60, 'SELECT event FROM events'],
  [60, 'SELECT * FROM events'],
  [60, 'SELECT e.* FROM events AS e WHERE e.team_id = 7'],
  [1, 'SELECT count() AS n FROM events'],
  [1, 'SELECT count(*) AS n, count(DISTINCT event) AS m, quantile(0.9)(length(event)) AS q FROM events'],
  [1, 'SELECT 1 AS one'],
  [1, 'SELECT COUNT(*) AS n, COUNT(DISTINCT event) AS m, Sum(1) AS s, MAX(timestamp) AS t FROM events'],
  [60, "SELECT IF(event = 'x', 1, NULLIF(2, 3)) AS a FROM events WHERE timestamp < NOW() + INTERVAL 9 YEAR"],
  [40, "SELECT uuid FROM events WHERE NOT (event = '$pageview')"],
  [20, "SELECT uuid FROM events WHERE event = '$pageview'"],
  [40, "SELECT uuid FROM events WHERE event != '$pageview' AND event LIKE 'cl%'"],
  [40, "SELECT uuid FROM events WHERE event NOT IN ('$pageview', 'x''y')"],
  [20, "SELECT uuid FROM events WHERE event IN '$pageview'"],
  [60, "SELECT uuid FROM events WHERE toDate(timestamp) IN (toDate('2026-02-28'), toDate('2026-03-01'))"],
  [3, "SELECT uuid FROM events WHERE (event, distinct_id) IN (('$pageview', 'user 0'), ('x', 'y'))"],
  [2, 'SELECT event FROM events GROUP BY event'],
  [2, 'SELECT DISTINCT event FROM events ORDER BY event DESC'],
  [1, 'SELECT event, count() AS n FROM events GROUP BY event HAVING n > 30'],
  [5, 'SELECT event FROM events ORDER BY timestamp LIMIT 5'],
  [10, 'SELECT event FROM events LIMIT 100 OFFSET 50'],
  [0, 'SELECT event FROM events LIMIT 0'],
  [30, 'SELECT uuid FROM events WHERE timestamp < {data_interval_end} - INTERVAL 2 SECOND'],
  [28, 'SELECT uuid FROM events WHERE timestamp < {data_interval_end} - toIntervalSecond(4)'],
  [58, 'SELECT uuid FROM events WHERE timestamp >= {data_interval_start}'],
  [60, "SELECT uuid FROM events WHERE timestamp > toDateTime('2026-02-28 12:00:00')"],
  [10, 'SELECT uuid FROM events WHERE properties.n < 10'],
  [1, 'SELECT uuid FROM events WHERE properties.n = 10'],
  [1, "SELECT uuid FROM events WHERE properties.n = '10'"],
  [2, 'SELECT uuid FROM events WHERE properties.n IN (10, 11)'],
  [11, 'SELECT uuid FROM events WHERE properties.n BETWEEN 10 AND 20'],
  [49, 'SELECT uuid FROM events WHERE properties.n NOT BETWEEN 10 AND 20'],
  [0, 'SELECT uuid FROM events WHERE properties.absent NOT BETWEEN 10 AND 20'],
  [0, 'SELECT uuid FROM events WHERE properties.absent BETWEEN 10 AND 20'],
  [60, 'SELECT uuid FROM events WHERE not(properties.absent BETWEEN 10 AND 20)'],
  [59, 'SELECT uuid FROM events WHERE notEquals(properties.n, 10)'],
  [60, "SELECT uuid FROM events WHERE notEquals(properties.absent, 'x')"],
  [60, "SELECT uuid FROM events WHERE not equals(properties.absent, 'x')"],
  [60, 'SELECT uuid FROM events WHERE equals(properties.absent, NULL)'],
  [60, 'SELECT uuid FROM events WHERE equals(properties.absent, person.properties.absent)'],
  [
    60,
    'SELECT uuid FROM events WHERE not less(properties.absent, 3) AND not greaterOrEquals(properties.absent, 3)',
  ],
  [
    60,
    "SELECT uuid FROM events WHERE notLike(properties.absent, 'x') AND notILike(properties.absent, 'x') AND not like(properties.absent, 'x') AND not ilike(properties.absent, 'x')",
  ],
  [20, "SELECT uuid FROM events WHERE in(event, ('$pageview', 'x'))"],
  [1, "SELECT uuid FROM events WHERE properties.nested.path = '/p/3'"],
  [1, "SELECT uuid FROM events WHERE properties['nested'] LIKE '%/p/3\"%'"],
  [60, 'SELECT uuid FROM events WHERE properties.nested.list[1] = 1'],
  [60, "SELECT uuid FROM events WHERE properties.nested.list.2 = 'zwei'"],
  [60, "SELECT e.uuid FROM events AS e WHERE e.properties['nested']['list'][-2] = 'zwei'"],
  [
    60,
    'SELECT uuid FROM events WHERE properties.nested.list[3] IS NULL AND properties.nested.list[4] IS NULL',
  ],
  [60, 'SELECT uuid FROM events WHERE properties.nested.path[1] IS NULL'],
  [1, "SELECT uuid FROM events WHERE properties['n'] = 3"],
  [30, 'SELECT uuid FROM events WHERE person.properties.email IS NOT NULL'],
  [30, 'SELECT uuid FROM events WHERE isNull(person_properties.email)'],
  [60, "SELECT uuid FROM events WHERE properties.absent != 'x'"],
  [1, "SELECT uuid FROM events WHERE concat(properties.absent, '-', properties.n, 7) = '-37'"],
  [60, 'SELECT DISTINCT concat(properties.n, person.properties.absent, NULL) AS k FROM events'],
  [60, 'SELECT uuid FROM events WHERE properties.absent = person.properties.absent'],
  [0, 'SELECT uuid FROM events WHERE properties.absent < 3'],
  [60, 'SELECT properties.n, person.properties.email FROM events'],
  [60, 'SELECT n FROM (SELECT properties.n FROM events)'],
  [20, "SELECT properties.event FROM events WHERE event = '$pageview'"],
  [20, "SELECT uuid, properties.event, person.properties.distinct_id FROM events WHERE event = '$pageview'"],
  [1, 'SELECT person.properties FROM events WHERE properties.n = 10'],
  [2, 'SELECT properties.event, count() AS n FROM events GROUP BY event, properties.event'],
  [
    0,
    "SELECT event FROM (SELECT properties.event FROM events WHERE event = 'clicked') WHERE event = 'clicked'",
  ],
  [40, "SELECT event FROM (SELECT properties.event FROM events WHERE event = 'clicked') WHERE event IS NULL"],
  [
    40,
    "SELECT s.event FROM (SELECT * FROM (SELECT properties.event, event AS e FROM events)) AS s WHERE e = 'clicked'",
  ],
  [20, "SELECT b FROM (SELECT event AS b FROM events) AS s WHERE s.b = '$pageview'"],
  [20, "SELECT uuid FROM events WHERE event IN (SELECT event FROM events WHERE event LIKE '$%')"],
  [120, 'SELECT event FROM events UNION ALL SELECT event FROM events'],
  [2, 'SELECT event FROM events UNION DISTINCT SELECT event FROM events'],
  [65, '(SELECT event FROM events LIMIT 5) UNION ALL (SELECT distinct_id FROM events)'],
  [0, 'SELECT event FROM events EXCEPT SELECT event FROM events'],
  [7, 'SELECT lower(distinct_id) AS d FROM events GROUP BY d'],
  [60, "SELECT if(event = 'x', 1, 2) AS a, CASE WHEN event = 'x' THEN 1 ELSE 2 END AS b FROM events"],
  [60, "SELECT CASE event WHEN 'x' THEN 1 ELSE 2 END AS c, toInt(properties.n) + 1 AS d FROM events"],
  [
    60,
    "SELECT splitByChar(' ', distinct_id)[2] AS e, distinct_id::string AS f, -1 AS g, true AS h FROM events",
  ],
  [60, 'SELECT event AS `a name`, \'x\' AS "b-c" FROM events -- a comment'],
];

/** Queries that would like to see more. */
const REACHING: readonly [rows: number, query: string][] = [
  [0, 'SELECT uuid FROM events WHERE team_id = 8'],
  [60, 'SELECT uuid FROM events WHERE team_id = 8 OR 1'],
  [60, "SELECT uuid FROM events WHERE team_id IN (7, 8) OR event = 'secret'"],
  [0, "SELECT uuid FROM events WHERE event = 'secret'"],
  [0, "SELECT 'secret' AS a, lower(distinct_id) AS event FROM events WHERE event = a"],
  [60, "SELECT 'secret' AS event FROM events WHERE event = 'secret'"],
  [120, 'SELECT uuid FROM events UNION ALL SELECT uuid FROM events WHERE team_id = 8 OR 1'],
  [0, 'SELECT uuid FROM events WHERE uuid IN (SELECT uuid FROM events WHERE team_id = 8)'],
  [0, "SELECT uuid FROM (SELECT uuid, event FROM (SELECT * FROM events)) WHERE event = 'secret'"],
  [0, 'SELECT uuid FROM events WHERE (SELECT count() AS n FROM events WHERE team_id = 8) > 0'],
  [60, 'SELECT uuid FROM events WHERE (SELECT count() AS n FROM events) = 60'],
  [60, "SELECT uuid FROM events WHERE event != ') OR team_id = 8 --'"],
  [60, "SELECT 'x`) FROM events --' AS a FROM events"],
  [0, "SELECT uuid FROM events WHERE properties['a\\') OR 1 --'] = 'x'"],
  [60, "SELECT '{team_id:Int64} {v0:String}' AS a FROM events"],
  [60, 'SELECT event AS v0, uuid AS data_interval_end FROM events'],
];

describe('counting', () => {
  it.each(COUNTED)('%i for %s', async (expected, text) => {
    expect(await count(text)).toBe(expected);
  });

  it('days begin where the project is', async () => {
    const days = 'SELECT toDate(timestamp) AS day FROM events GROUP BY day';
    // From two seconds before midnight in UTC.
    expect(await count(days)).toBe(2);
    expect(await count(days, { timezone: 'America/New_York' })).toBe(1);
  });

  // Each hour of three days from 2026-03-01 in UTC; the second day of the project's zone.
  it.each([
    ['UTC', '2026-03-02T00:00Z', 48],
    ['Europe/Berlin', '2026-03-01T23:00Z', 49],
    ['America/New_York', '2026-03-02T05:00Z', 43],
  ])('times without a zone are the project’s: %s', async (timezone, day, left) => {
    const start = Date.parse(day);
    const of = { teamId: HOURS, timezone, start, end: start + 24 * HOUR };
    const rows = async (where: string) =>
      createRowCounter(warehouse.warehouse)(await read(`SELECT uuid FROM events WHERE ${where}`), of);
    expect(await rows('toStartOfDay(timestamp) = {data_interval_start}')).toBe(24);
    expect(await rows('toStartOfDay(timestamp) = toStartOfDay({data_interval_start})')).toBe(24);
    expect(await rows('toStartOfDay(timestamp) = toDateTime({data_interval_start})')).toBe(24);
    expect(await rows('toStartOfDay(timestamp) = toStartOfDay(toDate({data_interval_start}))')).toBe(24);
    expect(await rows('toDate(timestamp) = toDate({data_interval_start})')).toBe(24);
    expect(await rows("dateDiff('day', timestamp, {data_interval_end}) = 1")).toBe(24);
    expect(await rows('toDateTime(timestamp) = timestamp')).toBe(72);
    expect(await rows('toDateTime(toStartOfHour(timestamp)) = timestamp')).toBe(72);
    expect(await rows("timestamp >= toDateTime('2026-03-02 00:00:00')")).toBe(left);
    expect(await rows("timestamp >= toDateTime('2026-03-02')")).toBe(left);
    expect(await rows("timestamp >= toDateTime(toDate('2026-03-02'))")).toBe(left);
    expect(await rows("timestamp >= toDateTime('2026-03-02T00:00:00Z')")).toBe(48);
    expect(await rows("timestamp >= '2026-03-02 00:00:00'")).toBe(left);
    expect(await rows("timestamp >= toDate('2026-03-02')")).toBe(left);
    expect(await rows('today() = toDate(now()) AND yesterday() = today() - 1')).toBe(72);
    const { sql, params } = printQuery((await read('SELECT now() AS at')).tree, timezone);
    expect(sql.replace(/\{(\w+):String\}/, (_, name) => `'${params[name]}'`)).toContain(
      `now64(6, '${timezone}')`,
    );
  });

  it('an hour that comes twice in autumn stays two', async () => {
    const hours = 'SELECT toDateTime(timestamp) AS at FROM events GROUP BY at';
    const of = { teamId: AUTUMN, timezone: 'Europe/Berlin', start: null, end: null };
    expect(await createRowCounter(warehouse.warehouse)(await read(hours), of)).toBe(4);
  });
});

describe('what is not on the list is refused by name', () => {
  it.each([
    ['WITH', 'WITH x AS (SELECT event FROM events) SELECT event FROM x'],
    ['WITH', 'WITH 5 AS five SELECT five AS f FROM events'],
    ['JOIN', 'SELECT e.event FROM events AS e JOIN events AS f ON e.uuid = f.uuid'],
    ['JOIN', 'SELECT e.event FROM events AS e, events AS f'],
    ['the table persons', 'SELECT id FROM persons'],
    ['the table sessions', 'SELECT event FROM events WHERE uuid IN (SELECT id FROM sessions)'],
    ['SAMPLE', 'SELECT event FROM events SAMPLE 1/10'],
    ['FINAL', 'SELECT event FROM events FINAL'],
    ['ARRAY JOIN', 'SELECT x FROM events ARRAY JOIN [1, 2] AS x'],
    ['PREWHERE', 'SELECT event FROM events PREWHERE 1'],
    ['QUALIFY', 'SELECT event FROM events QUALIFY 1'],
    ['LIMIT BY', 'SELECT event FROM events LIMIT 1 BY event'],
    ['WITH TIES', 'SELECT event FROM events ORDER BY event LIMIT 1 WITH TIES'],
    ['WITH FILL', 'SELECT event FROM events ORDER BY event WITH FILL'],
    ['modes of GROUP BY', 'SELECT event FROM events GROUP BY ROLLUP(event)'],
    ['window functions', 'SELECT row_number() OVER (ORDER BY event) AS n FROM events'],
    ['WINDOW', 'SELECT event FROM events WINDOW w AS (PARTITION BY event)'],
    ['lambdas', 'SELECT has(x -> x, 1) AS a FROM events'],
    ['TRY_CAST', 'SELECT try_cast(event AS Int) AS a FROM events'],
    ['FILTER', 'SELECT sum(1) FILTER (WHERE event = 1) AS a FROM events'],
    ['the field session', 'SELECT session.id FROM events'],
    ['an alias inside', 'SELECT lower(event AS e) AS f FROM events'],
    ['a LIMIT', 'SELECT event FROM events LIMIT 1 + 1'],
    ['the position 0', 'SELECT properties.nested.list[0] AS a FROM events'],
    ['this kind of […]', 'SELECT (1, 2).1 AS a FROM events'],
    ['equals()', 'SELECT equals(event) AS a FROM events'],
    ['DISTINCT in equals()', 'SELECT equals(DISTINCT event, event) AS a FROM events'],
    ['casts to', 'SELECT event::Date32 AS a FROM events'],
  ])('%s: %s', async (named, text) => {
    await expect(count(text)).rejects.toMatchObject({ ...refused, message: expect.stringContaining(named) });
  });

  it.each([
    'file',
    'url',
    's3',
    'remote',
    'dictGet',
    'joinGet',
    'getSetting',
    'currentUser',
    'hostName',
    'version',
    'sleep',
    'sleepEachRow',
    'arrayJoin',
    'throwIf',
    'filesystemAvailable',
    'serverUUID',
    'evalMLMethod',
    'executable',
    'initializeAggregation',
    'FILE',
    'Sleep',
    'toString); DROP TABLE events; --',
  ])('the function %s', async (name) => {
    const text = `SELECT \`${name}\`('x') AS a FROM events`;
    await expect(count(text)).rejects.toMatchObject(refused);
  });
});

describe('another project’s rows', () => {
  it.each(REACHING)('%i: %s', async (expected, text) => {
    expect(await count(text)).toBe(expected);
  });

  it.each([
    'SELECT event AS `a`` FROM events --` FROM events',
    'SELECT event AS `a` FROM events AS `e) --`',
    'SELECT event AS "{team_id:Int64}" FROM events',
    'SELECT event AS `a\\b` FROM events',
    'SELECT event FROM events WHERE `x{team_id:Int64}` = 1',
    'SELECT 8 AS team_id FROM events WHERE team_id = 8',
    'SELECT event FROM events AS team_id',
    'SELECT event FROM default.events',
    'SELECT event FROM `default.events`',
    'SELECT name AS event FROM system.tables',
    'SELECT uuid, 1 AS person FROM events WHERE person_id IN person',
    'SELECT uuid, 1 AS person FROM events WHERE person_id IN (person)',
    'SELECT uuid, 1 AS person FROM events WHERE person_id NOT IN ((person))',
    'SELECT uuid, 1 AS person FROM events WHERE person_id IN tuple(person) OR person_id IN [person]',
    'SELECT uuid, 1 AS app_metrics FROM events WHERE (1, 2) IN app_metrics',
    'SELECT uuid FROM events WHERE uuid IN events',
    'SELECT uuid FROM events WHERE uuid IN distinct_id',
    'SELECT uuid, 1 AS `default.events` FROM events WHERE uuid IN `default.events`',
    "SELECT event FROM file('*')",
    "SELECT event FROM url('http://127.0.0.1/', 'CSV', 'event String')",
    "SELECT event FROM s3('http://127.0.0.1/')",
    "SELECT event FROM merge('default', '.*')",
    "SELECT event FROM events WHERE uuid IN (SELECT uuid FROM remote('127.0.0.1', 'default.events'))",
    'SELECT event FROM events SETTINGS readonly = 0',
    'SELECT event FROM {data_interval_start}',
  ])('cannot be reached by %s', async (text) => {
    await expect(count(text)).rejects.toMatchObject(refused);
  });

  it.each([
    // A function that would fail on their rows, and say with which value.
    "SELECT uuid FROM events WHERE if(event != 'secret', toDate('2021-01-01'), toDate(concat('2021-01-01', event))) = toDate('2021-01-01')",
    "SELECT uuid FROM events WHERE modulo(1, if(distinct_id = 'them', 0, 2)) = 1",
    "SELECT uuid FROM (SELECT uuid, event FROM events WHERE modulo(1, if(event = 'secret', 0, 2)) = 1)",
    "SELECT uuid FROM events WHERE match('a', if(event = 'secret', '(', '.'))",
  ])('are not even looked at by %s', async (text) => {
    await warehouse.warehouse.command({ sql: 'OPTIMIZE TABLE events FINAL' });
    expect(await count(text)).toBe(ROWS);
  });

  it('are out of reach because every `events` is printed with the condition, and texts and team are bound', async () => {
    const text = "SELECT event FROM events WHERE event IN (SELECT event FROM events WHERE event = 'TEXT')";
    const { sql, params } = printQuery((await read(text)).tree, 'UTC');
    expect(sql.match(/\bevents\b/g)).toHaveLength(2);
    expect(sql.match(/FROM events PREWHERE team_id = \{team_id:Int64\}\)/g)).toHaveLength(2);
    expect(sql).not.toContain('TEXT');
    expect(Object.values(params)).toEqual(['TEXT']);
  });
});

describe('limits', () => {
  const plenty = { seconds: 30, memory: 1e9, rows: 1e9, atOnce: { all: 4, each: 4 } };
  it.each<[string, Partial<CountLimits>, string, object]>([
    ['time', { seconds: 0.000001 }, SLOW, { code: 'timeout_exceeded', attr: null }],
    ['memory', { memory: 100_000 }, 'SELECT groupArray(properties) AS p FROM events GROUP BY uuid', refused],
    ['rows', { rows: 10 }, 'SELECT uuid FROM events WHERE properties.n > 1', refused],
  ])('%s', async (_, limits, text, error) => {
    await expect(count(text, { limits: { ...plenty, ...limits } })).rejects.toMatchObject(error);
  });

  it.each([
    ['types that do not fit', "SELECT event + 1 AS a FROM events WHERE uuid = 'x'"],
    ['too few arguments', 'SELECT substring() AS a FROM events'],
    ['an aggregate in WHERE', 'SELECT event FROM events WHERE count() > 1'],
    ['a field that is not grouped', 'SELECT uuid, count() AS n FROM events GROUP BY event'],
    ['a pattern that is none', "SELECT uuid FROM events WHERE match(event, '(')"],
  ])('what ClickHouse refuses is the query’s fault: %s', async (_, text) => {
    await expect(count(text)).rejects.toMatchObject(refused);
  });

  it('how many at once', async () => {
    const counter = createRowCounter(warehouse.warehouse, { ...plenty, atOnce: { all: 2, each: 1 } });
    const query = await read('SELECT event FROM events');
    const of = { teamId: MINE, timezone: 'UTC', start: null, end: null };
    const first = counter(query, of);
    await expect(counter(query, of)).rejects.toMatchObject({ code: 'throttled', retryAfter: 5 });
    const theirs = counter(query, { ...of, teamId: THEIRS });
    expect([await first, await counter(query, of), await theirs]).toEqual([ROWS, ROWS, 500]);
  });

  it('names that would double with every one of them end', async () => {
    const names = Array.from({ length: 40 }, (_, n) => `concat(a${n}, a${n}) AS a${n + 1}`);
    await expect(count(`SELECT event AS a0, ${names.join(', ')} FROM events`)).rejects.toMatchObject(refused);
  });

  it('a text that would double with every level ends', async () => {
    const text = `SELECT uuid FROM events WHERE ${'event BETWEEN '.repeat(1)}${Array.from({ length: 25 }, () => "'a' AND 'b' BETWEEN ").join('')}'a' AND 'b'`;
    await expect(count(text)).rejects.toMatchObject(refused);
  });
});

/** What the printed query reads, as the engine itself understands it. */
async function tablesOf(text: string): Promise<{ all: string[]; unguarded: string[]; functions: string[] }> {
  const { sql, params } = printQuery((await read(text)).tree, 'UTC');
  const rows = await warehouse.warehouse.rows<{ explain: string }>({
    sql: `EXPLAIN QUERY TREE SELECT count() AS count FROM (${sql})`,
    params: { ...params, team_id: MINE, data_interval_start: 0, data_interval_end: 0 },
  });
  const tree = rows.map(({ explain }) => explain).join('\n');
  const tables = [...tree.matchAll(/TABLE id: (\d+),.* table_name: (\S+)/g)].map(
    ([, id = '', name = '']) => ({
      id,
      name,
    }),
  );
  const guard = (id: string) =>
    new RegExp(
      `JOIN TREE\\s+TABLE id: ${id},.*\\s+PREWHERE\\s+FUNCTION id: \\d+, function_name: equals,.*\\s+ARGUMENTS\\s+LIST.*\\s+` +
        `COLUMN id: \\d+, column_name: team_id,.*source_id: ${id}\\s+CONSTANT id: \\d+, constant_value: Int64_${MINE},`,
    );
  return {
    all: [...new Set(tables.map(({ name }) => name))],
    unguarded: tables
      .filter(({ id, name }) => name !== 'system.one' && !guard(id).test(tree))
      .map(({ name }) => name),
    functions: [...tree.matchAll(/TABLE_FUNCTION.*/g)].map(([found]) => found),
  };
}

it('the engine itself sees no table but the project’s events, each behind its condition', async () => {
  for (const text of [...COUNTED, ...REACHING].map(([, each]) => each)) {
    // Around it, names that mean something to the engine.
    for (const around of [text, `SELECT 1 AS \`events\` FROM (${text}\n) AS \`person\``]) {
      const { all, unguarded, functions } = await tablesOf(around);
      expect([unguarded, functions], around).toEqual([[], []]);
      if (/\bFROM events\b/i.test(text)) expect(all, around).toContain('default.events');
      expect(['default.events', 'system.one'], around).toEqual(expect.arrayContaining(all));
    }
  }
});

it('nothing is counted where `events` is a view, which would not keep the project’s condition in front', async () => {
  const views = await startTestWarehouse();
  try {
    await views.warehouse.command({ sql: 'RENAME TABLE events TO stored' });
    await views.warehouse.command({ sql: 'CREATE VIEW events AS SELECT * FROM stored' });
    const of = { teamId: MINE, timezone: 'UTC', start: null, end: null };
    const counted = createRowCounter(views.warehouse)(await read('SELECT uuid FROM events'), of);
    await expect(counted).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining('is a view'),
    });
  } finally {
    await views.close();
  }
});

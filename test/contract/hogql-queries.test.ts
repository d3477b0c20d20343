import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ServedBench, serveBench, toFiles } from './batch-exports-kit.ts';

/** contract.md §4.3, "HogQL query checks", wherever a query may be sent: exports, connection tests, file downloads. */
let bench: ServedBench;
beforeAll(async () => {
  bench = await serveBench();
});
afterAll(() => bench.close());

const GOOD = 'SELECT event AS event, uuid AS id FROM events WHERE timestamp >= {data_interval_start}';
const exporting = (parts: Record<string, unknown> = {}) => ({
  ...toFiles(),
  model: 'hogql',
  hogql_query: GOOD,
  ...parts,
});
const refused = (code: string, attr: string | null) => ({
  status: 400,
  body: { type: 'validation_error', code, attr },
});

describe('§4.3 queries that are refused at hogql_query', () => {
  it.each([
    ['syntax', 'SELECT event FROM'],
    ['no SELECT', 'INSERT INTO events VALUES (1)'],
    ['two statements', 'SELECT event FROM events; SELECT 1 AS a'],
    ['blank', ' \n '],
    ['empty', ''],
    ['another placeholder', 'SELECT event FROM events WHERE timestamp > {now}'],
    ['a placeholder that is no name', 'SELECT event FROM events WHERE timestamp > {1 + 1}'],
    ['a placeholder of a placeholder', 'SELECT event FROM events WHERE {data_interval_start.x}'],
    ['a placeholder for a table', 'SELECT event FROM {data_interval_start}'],
    ['an item without a name', 'SELECT count() FROM events'],
    ['a literal without a name', 'SELECT 1'],
    ['an item without a name, first in a UNION', 'SELECT count() FROM events UNION ALL SELECT 1 AS a'],
    ['columns by pattern', "SELECT columns('.*') FROM events"],
    ['an unknown table', 'SELECT event FROM cohorts'],
    ['a table of the engine', 'SELECT name FROM system.tables'],
    ['a table with its database', 'SELECT event FROM default.events'],
    ['a table in quotes', 'SELECT event FROM `system.tables`'],
    ['a table function', "SELECT a FROM url('http://127.0.0.1/', 'CSV')"],
    ['an unknown table in a subquery', 'SELECT event FROM events WHERE uuid IN (SELECT id FROM cohorts)'],
    ['an unknown table in a JOIN', 'SELECT event FROM events JOIN cohorts ON 1 = 1'],
    ['an unknown table in a WITH', 'WITH x AS (SELECT id FROM cohorts) SELECT id FROM x'],
    ['an unknown field', 'SELECT evnt FROM events'],
    ['an unknown field in WHERE', "SELECT event FROM events WHERE evnt = 'x'"],
    ['an unknown field by its table', 'SELECT e.evnt FROM events AS e'],
    ['a field of the table behind its alias', 'SELECT events.event FROM events AS e'],
    ['a field that the subquery lacks', 'SELECT uuid FROM (SELECT event FROM events)'],
    ['an alias of the subquery', 'SELECT uuid AS a FROM (SELECT event AS b FROM events WHERE c = 1)'],
    ['a field without a table', 'SELECT event'],
  ])('%s', async (_, hogql_query) => {
    const answer = await bench.call('POST', 'batch_exports', exporting({ hogql_query }));
    expect(answer).toMatchObject(refused('invalid_input', 'hogql_query'));
  });
});

/** Each level has ten times the columns of the one below. */
const TENFOLD = `SELECT ${Array(10).fill('*').join(',')} FROM`;
const levels = Array.from({ length: 7 }, (_, n) => `c${n + 1} AS (${TENFOLD} c${n})`);

describe('§4.3 columns that multiply', () => {
  it.each([
    ['in WITH', `WITH c0 AS (SELECT * FROM events), ${levels.join(', ')} SELECT event FROM c7`],
    ['in subqueries', `SELECT event FROM ${`(${TENFOLD} `.repeat(7)}events${')'.repeat(7)}`],
    [
      'in joined tables',
      `SELECT ${Array(40).fill('*').join(',')} FROM events${Array.from({ length: 20 }, (_, n) => `, events AS t${n}`).join('')}`,
    ],
    ['in parts of a UNION', Array(60).fill(`SELECT event FROM (${TENFOLD} events)`).join(' UNION ALL ')],
  ])('%s are refused before they are listed', async (_, hogql_query) => {
    const answer = await bench.call('POST', 'batch_exports', exporting({ hogql_query }));
    expect(answer).toMatchObject(refused('invalid_input', 'hogql_query'));
    expect(answer.body.detail).toMatch(/more than 10000 columns/);
  });

  it('are accepted up to 10,000', async () => {
    const hogql_query = `WITH ${levels.slice(0, 2).join(', ').replace('c0', 'events')} SELECT *,*,*,* FROM c2`;
    expect((await bench.create(exporting({ hogql_query }))).hogql_query).toBe(hogql_query);
  });
});

describe('§4.3 queries that are accepted', () => {
  it.each([
    ['no table', 'SELECT 1 AS one'],
    ['everything', 'SELECT * FROM events'],
    ['properties', 'SELECT properties.$browser AS browser, person.properties.plan FROM events'],
    ['fields of others', 'SELECT id, whatever FROM persons'],
    ['an alias used elsewhere', "SELECT lower(event) AS e FROM events WHERE e = 'x' GROUP BY e ORDER BY e"],
    ['a table by its alias', 'SELECT e.event, f.uuid FROM events AS e JOIN events AS f ON e.uuid = f.uuid'],
    ['WITH', 'WITH x AS (SELECT event AS b FROM events), 5 AS five SELECT b, five FROM x'],
    [
      'a subquery',
      'SELECT b FROM (SELECT event AS b FROM events) AS s WHERE s.b IN (SELECT event FROM events)',
    ],
    ['UNION', 'SELECT event FROM events UNION ALL SELECT toString(1) FROM events'],
    ['a lambda', 'SELECT arrayMap(x -> x + 1, [1]) AS y, arrayFilter((a, b) -> a > b, [1], [2]) AS z'],
    ['ARRAY JOIN', 'SELECT x FROM events ARRAY JOIN [1, 2] AS x'],
    ['window functions', 'SELECT row_number() OVER (PARTITION BY event ORDER BY timestamp) AS n FROM events'],
    ['names in quotes', 'SELECT `$session_id`, "event" FROM `events`'],
    ['braces in a literal', "SELECT '{now}' AS a, event FROM events -- {x}"],
    ['the end alone', 'SELECT event FROM events WHERE timestamp < {data_interval_end}'],
  ])('%s', async (_, hogql_query) => {
    expect((await bench.create(exporting({ hogql_query }))).hogql_query).toBe(hogql_query);
  });
});

it('§1.8 a closed gate does not open the way for a query that cannot be read', async () => {
  const { id, hogql_query } = await bench.create(exporting({ hogql_query: 'SELECT event FROM events' }));
  await bench.closing(['hogql'], async () => {
    for (const [patch, attr] of [
      [{ hogql_query: 'no query (((' }, 'hogql_query'],
      [{ primary_key: ['no_such_column'], incremental_mode: 'MERGE' }, 'primary_key'],
    ] as const) {
      const answer = await bench.call('PATCH', `batch_exports/${id}`, patch);
      expect(answer).toMatchObject(refused('invalid_input', attr));
    }
  });
  expect((await bench.call('GET', `batch_exports/${id}`)).body).toMatchObject({
    hogql_query,
    primary_key: null,
  });
});

describe('§4.3 keys and modifiers', () => {
  it.each<[string, Record<string, unknown>, string, string]>([
    ['a primary key', { primary_key: ['id', 'uuid'] }, 'invalid_input', 'primary_key'],
    ['a version key', { version_key: ['timestamp'] }, 'invalid_input', 'version_key'],
    ['blank names', { primary_key: [' '] }, 'blank', 'primary_key__0'],
    ['no list', { primary_key: 'id' }, 'not_a_list', 'primary_key'],
    ['no names', { version_key: [] }, 'empty', 'version_key'],
    ['MERGE without a key', { incremental_mode: 'MERGE' }, 'invalid_input', 'primary_key'],
    [
      'an unknown modifier',
      { hogql_modifiers: { debug: true, fast: 1 } },
      'invalid_input',
      'hogql_modifiers',
    ],
    ['a modifier of another type', { hogql_modifiers: { debug: 'x' } }, 'invalid_input', 'hogql_modifiers'],
    ['another value', { hogql_modifiers: { inCohortVia: 'x' } }, 'invalid_input', 'hogql_modifiers'],
    ['modifiers that are no object', { hogql_modifiers: [1] }, 'not_a_dict', 'hogql_modifiers'],
    ['the query before keys', { hogql_query: 'SELECT', primary_key: ['x'] }, 'invalid_input', 'hogql_query'],
  ])('%s', async (_, parts, code, attr) => {
    const answer = await bench.call('POST', 'batch_exports', exporting(parts));
    expect(answer).toMatchObject(refused(code, attr));
  });

  it('names the first bad modifier', async () => {
    const answer = await bench.call('POST', 'batch_exports', exporting({ hogql_modifiers: { fast: 1 } }));
    expect(answer.body.detail).toMatch(/^fast: /);
  });

  it('are kept', async () => {
    const parts = {
      primary_key: ['id'],
      version_key: ['event'],
      incremental_mode: 'MERGE',
      hogql_modifiers: { debug: true, inCohortVia: null, personsOnEventsMode: 'disabled' },
    };
    expect(await bench.create(exporting(parts))).toMatchObject(parts);
  });

  it('of `*` are those of events, and any of other tables', async () => {
    const of = (table: string, key: string) =>
      bench.call(
        'POST',
        'batch_exports',
        exporting({ hogql_query: `SELECT * FROM ${table}`, primary_key: [key] }),
      );
    expect((await of('events', 'uuid')).status).toBe(201);
    expect(await of('events', 'person')).toMatchObject(refused('invalid_input', 'primary_key'));
    expect((await of('persons', 'whatever')).status).toBe(201);
  });
});

describe('§4.3 changing a query', () => {
  it.each<[string, Record<string, unknown>, string | null]>([
    ['another query', { hogql_query: 'SELECT uuid AS id FROM events' }, null],
    ['null, which keeps it', { hogql_query: null }, null],
    ['a name only', { name: 'x' }, null],
    ['a bad query', { hogql_query: 'SELECT' }, 'hogql_query'],
    ['a query without the stored key', { hogql_query: 'SELECT event FROM events' }, 'primary_key'],
    ['a key that the stored query lacks', { primary_key: ['uuid'] }, 'primary_key'],
    ['no key any more', { primary_key: null }, null],
    ['MERGE without a key', { primary_key: null, incremental_mode: 'MERGE' }, 'primary_key'],
  ])('to %s', async (_, change, attr) => {
    const { id } = await bench.create(exporting({ primary_key: ['id'] }));
    const { status, body } = await bench.call('PATCH', `batch_exports/${id}`, change);
    if (attr !== null) expect({ status, body }).toMatchObject(refused('invalid_input', attr));
    else expect([status, body.hogql_query]).toEqual([200, change.hogql_query ?? GOOD]);
  });

  it('PUT keeps a query that is not sent', async () => {
    const { id } = await bench.create(exporting());
    const { status, body } = await bench.call('PUT', `batch_exports/${id}`, toFiles());
    expect([status, body.model, body.hogql_query]).toEqual([200, 'hogql', GOOD]);
  });
});

describe('the same checks elsewhere', () => {
  const bad: [string, Record<string, unknown>, string, string][] = [
    ['an unknown table', { hogql_query: 'SELECT a FROM cohorts' }, 'invalid_input', 'hogql_query'],
    ['an item without a name', { hogql_query: 'SELECT 1' }, 'invalid_input', 'hogql_query'],
    ['an unknown modifier', { hogql_modifiers: { fast: 1 } }, 'invalid_input', 'hogql_modifiers'],
    ['a bound that is missing', {}, 'invalid_input', 'data_interval_start'],
  ];
  const asked = { model: 'hogql', hogql_query: GOOD };

  it.each(bad)('§9.1 downloads: %s', async (_, parts, code, attr) => {
    const answer = await bench.call('POST', 'file_download_batch_exports', { ...asked, file: {}, ...parts });
    expect(answer).toMatchObject(refused(code, attr));
  });

  it.each(bad)('§9 count_rows: %s', async (_, parts, code, attr) => {
    const path = 'file_download_batch_exports/count_rows';
    expect(await bench.call('POST', path, { ...asked, ...parts })).toMatchObject(refused(code, attr));
  });

  it('§9.1 a bound is not missing because a comment names it', async () => {
    const hogql_query = "SELECT '{data_interval_start}' AS a /* {data_interval_end} */ FROM events";
    const answer = await bench.call('POST', 'file_download_batch_exports', {
      ...asked,
      file: {},
      hogql_query,
    });
    expect(answer.status).toBe(202);
  });

  it.each(bad.slice(0, 3))('§6 connection tests: %s', async (_, parts, code, attr) => {
    const answer = await bench.call('POST', 'batch_exports/run_test_step_new', exporting(parts));
    expect(answer).toMatchObject(refused(code, attr));
    const { id } = await bench.create(exporting());
    const { destination } = toFiles();
    const step = await bench.call('POST', `batch_exports/${id}/run_test_step`, { destination, ...parts });
    expect(step).toMatchObject(refused(code, attr));
  });
});

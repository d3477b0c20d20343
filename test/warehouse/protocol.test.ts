import { randomUUID } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestWarehouse, type TestWarehouse } from '../kit/warehouse.ts';

/** Far more than it takes, for machines with much else to do. */
const SOON = { timeout: 30_000 };

/** The embedded engine's HTTP, as curl and other people's clients use it. */
let running: TestWarehouse;
let origin: string;
let authorization: string;

beforeAll(async () => {
  running = await startTestWarehouse();
  const url = new URL(running.url);
  origin = url.origin;
  authorization = `Basic ${Buffer.from(`${url.username}:${url.password}`).toString('base64')}`;
});
afterAll(() => running.close());

interface Sent {
  readonly method?: string;
  readonly body?: string | Buffer | FormData;
  readonly headers?: Record<string, string>;
}

async function send(parameters: Record<string, string>, sent: Sent = {}) {
  const response = await fetch(`${origin}/?${new URLSearchParams(parameters)}`, {
    method: sent.method ?? 'POST',
    headers: { authorization, ...sent.headers },
    ...(sent.body === undefined ? {} : { body: sent.body as string }),
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

describe('asking', () => {
  test('ping needs no password, and neither does the bare address', async () => {
    for (const path of ['/ping', '/']) {
      const response = await fetch(origin + path);
      expect([response.status, await response.text()]).toEqual([200, 'Ok.\n']);
    }
  });

  test('a query in the body, in the URL, or in both', async () => {
    expect((await send({}, { body: 'SELECT 1 + 1' })).text).toBe('2\n');
    expect((await send({ query: 'SELECT 1 + 1' }, { method: 'GET' })).text).toBe('2\n');
    expect((await send({ query: 'SELECT 1 +' }, { body: '2 FORMAT JSONEachRow' })).text).toBe(
      '{"plus(1, 2)":3}\n',
    );
  });

  test('values of parameters longer than queries usually are', async () => {
    const query = {
      sql: 'SELECT length({text:String}) AS length',
      params: { text: 'x'.repeat(500_000) },
      settings: { max_query_size: 4_194_304 },
    };
    expect(await running.warehouse.rows(query)).toEqual([{ length: '500000' }]);
    // And the limit is the usual one for whoever comes next.
    const { settings: _, ...usual } = query;
    await expect(running.warehouse.rows(usual)).rejects.toMatchObject({ code: 'warehouse_query' });
  });

  test('the format: of the query, of the header, of the parameter, or tab-separated', async () => {
    const sql = "SELECT 1 AS a, 'x' AS b";
    const formats: [string, Record<string, string>, string][] = [
      [`${sql} FORMAT CSV`, {}, '1,"x"\n'],
      [sql, { default_format: 'JSONEachRow' }, '{"a":1,"b":"x"}\n'],
      [sql, {}, '1\tx\n'],
    ];
    for (const [body, parameters, text] of formats)
      expect((await send(parameters, { body })).text).toBe(text);
    const header = await send({}, { body: sql, headers: { 'X-ClickHouse-Format': 'JSONCompactEachRow' } });
    expect(header.text).toBe('[1, "x"]\n');
    expect(header.headers.get('x-clickhouse-format')).toBe('JSONCompactEachRow');
  });

  test('totals and statistics are there, as in ClickHouse', async () => {
    const { text } = await send(
      {},
      { body: 'SELECT number % 2 AS n, count() FROM numbers(5) GROUP BY n WITH TOTALS FORMAT JSON' },
    );
    expect(JSON.parse(text)).toMatchObject({ rows: 2, totals: { n: 0 }, statistics: {} });
  });

  test('parameters bind on the server, whatever they hold', async () => {
    const value = "it's \\ a\ttab; DROP TABLE events --\n\u{1f980}";
    const escaped = value.replaceAll('\\', '\\\\').replaceAll('\t', '\\t').replaceAll('\n', '\\n');
    const { text } = await send(
      { param_x: escaped, param_n: '7' },
      { body: 'SELECT {x:String} AS x, {n:UInt8} AS n FORMAT JSONEachRow' },
    );
    expect(JSON.parse(text)).toEqual({ x: value, n: 7 });
    const table = await send({ param_t: 'events' }, { body: 'SELECT count() FROM {t:Identifier}' });
    expect(table.text).toBe('0\n');
  });

  test('nothing of one request is left for the next', async () => {
    const first = await send(
      { param_x: '1', max_threads: '1', database: 'system' },
      { body: "SELECT {x:UInt8}, getSetting('max_threads'), currentDatabase()" },
    );
    expect(first.text).toBe('1\t1\tsystem\n');
    expect((await send({}, { body: 'SET max_threads = 1' })).status).toBe(200);
    for (let again = 0; again < 5; again++) {
      const next = await send({}, { body: "SELECT getSetting('max_threads') > 1, currentDatabase()" });
      expect(next.text).toBe('1\tdefault\n');
      const missing = await send({}, { body: 'SELECT {x:UInt8}' });
      expect(missing.headers.get('x-clickhouse-exception-code')).toBe('456');
    }
  });

  test('everything is UTC', async () => {
    expect((await send({}, { body: 'SELECT timezone(), toString(toDateTime(0))' })).text).toBe(
      'UTC\t1970-01-01 00:00:00\n',
    );
  });

  test('a form carries the query and its parameters too', async () => {
    const body = new FormData();
    body.set('query', 'SELECT {x:String}');
    body.set('param_x', 'y'.repeat(100_000));
    expect((await send({}, { body })).text).toBe(`${'y'.repeat(100_000)}\n`);
  });

  test('answers are compressed by the engine when asked for', async () => {
    const sql = 'SELECT number FROM numbers(1000)';
    const plain = (await send({}, { body: sql })).text;
    const unpack = { gzip: gunzipSync, br: brotliDecompressSync, zstd: zstdDecompressSync };
    for (const [encoding, unpacked] of Object.entries(unpack)) {
      const bytes: Buffer[] = [];
      const compression = encoding as keyof typeof unpack;
      for await (const chunk of await running.warehouse.bytes({ sql, format: 'TSV', compression }))
        bytes.push(chunk);
      expect(Buffer.concat(bytes).length).toBeLessThan(plain.length);
      expect(unpacked(Buffer.concat(bytes)).toString()).toBe(plain);
    }
    const identity = await send({}, { body: sql, headers: { 'Accept-Encoding': 'gzip' } });
    expect(identity.headers.get('content-encoding')).toBeNull();
  });
});

describe('refusing', () => {
  test.each([
    ['SELECT nosuch', 404, '47'],
    ['SELEC 1', 400, '62'],
    ['SELECT * FROM nosuch', 404, '60'],
    ['SELECT throwIf(number = 3) FROM numbers(10)', 500, '395'],
    ['SELECT 1; SELECT 2', 400, '62'],
    ['SELECT 1 SETTINGS nosuch_setting = 1', 404, '115'],
    ['', 400, '62'],
  ])('%s: status %i, code %s', async (body, status, code) => {
    const answer = await send({ query_id: randomUUID() }, { body });
    expect(answer.status).toBe(status);
    expect(answer.headers.get('x-clickhouse-exception-code')).toBe(code);
    expect(answer.text).toMatch(
      new RegExp(`^Code: ${code}\\. DB::Exception: .+ \\([A-Z_]+\\) \\(version 26\\.`, 's'),
    );
  });

  test('unknown settings with ClickHouse’s own error, those of the interface not at all', async () => {
    const unknown = await send({ nosuch_setting: '1' }, { body: 'SELECT 1' });
    expect(unknown.headers.get('x-clickhouse-exception-code')).toBe('115');
    const odd = await send({ 'a = 1, max_threads': '1' }, { body: 'SELECT 1' });
    expect(odd.headers.get('x-clickhouse-exception-code')).toBe('115');
    const known = {
      wait_end_of_query: '1',
      buffer_size: '1000',
      send_progress_in_http_headers: '1',
      session_id: 'x',
    };
    expect((await send(known, { body: 'SELECT 1' })).text).toBe('1\n');
  });

  test('a wrong password, a wrong user, no password', async () => {
    const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });
    const { password } = new URL(running.url);
    for (const headers of [basic('default:wrong'), basic(`admin:${password}`), basic('default:')]) {
      const answer = await send({}, { body: 'SELECT 1', headers });
      expect([answer.status, answer.headers.get('x-clickhouse-exception-code')]).toEqual([403, '516']);
    }
    const none = await fetch(origin, { method: 'POST', body: 'SELECT 1' });
    expect([none.status, none.headers.get('x-clickhouse-exception-code')]).toEqual([401, '194']);
    const headers = { 'X-ClickHouse-User': 'default', 'X-ClickHouse-Key': password };
    const key = await fetch(origin, { method: 'POST', body: 'SELECT 1', headers });
    expect(await key.text()).toBe('1\n');
  });

  test('GET changes nothing', async () => {
    const answer = await send({ query: 'CREATE TABLE t (a Int8) ENGINE = Memory' }, { method: 'GET' });
    expect(answer.headers.get('x-clickhouse-exception-code')).toBe('164');
    const after = await send({}, { body: "SELECT count() FROM system.tables WHERE name = 't'" });
    expect(after.text).toBe('0\n');
  });

  test('other paths', async () => {
    expect((await fetch(`${origin}/nosuch`)).status).toBe(404);
  });
});

describe('inserting', () => {
  beforeAll(async () => {
    await running.warehouse.command({
      sql: "CREATE TABLE rows (n Int64, s String, at DateTime64(6, 'UTC') DEFAULT now64(6)) ENGINE = MergeTree ORDER BY n",
    });
  });

  const stored = async (): Promise<string> =>
    (await send({}, { body: 'SELECT n, s FROM rows ORDER BY n' })).text;
  const empty = () => running.warehouse.command({ sql: 'TRUNCATE TABLE rows' });

  test.each([
    ['query and data in the body', {}, 'INSERT INTO rows (n, s) FORMAT TSV\n1\ta\n2\tb\n', {}],
    ['values in the body', {}, "INSERT INTO rows (n, s) VALUES (1, 'a'), (2, 'b');", {}],
    ['query in the URL', { query: 'INSERT INTO rows (n, s) FORMAT CSV' }, '1,a\n2,"b"\n', {}],
    [
      'settings',
      { query: 'INSERT INTO rows SETTINGS input_format_skip_unknown_fields = 1 FORMAT JSONEachRow' },
      '{"n":1,"s":"a","x":1}\n{"n":2,"s":"b"}',
      {},
    ],
    [
      'gzip',
      { query: 'INSERT INTO rows (n, s) FORMAT TSV' },
      gzipSync('1\ta\n2\tb\n'),
      { 'Content-Encoding': 'gzip' },
    ],
    [
      'zstd',
      { query: 'INSERT INTO rows (n, s) FORMAT TSV' },
      zstdCompressSync('1\ta\n2\tb\n'),
      { 'Content-Encoding': 'zstd' },
    ],
    [
      'all of it gzipped',
      {},
      gzipSync('INSERT INTO rows (n, s) FORMAT TSV\n1\ta\n2\tb\n'),
      { 'Content-Encoding': 'gzip' },
    ],
  ])('%s', async (_, parameters, body, headers) => {
    await empty();
    const answer = await send(parameters as Record<string, string>, {
      body,
      headers: headers as Record<string, string>,
    });
    expect([answer.status, answer.text]).toEqual([200, '']);
    expect(JSON.parse(answer.headers.get('x-clickhouse-summary') ?? '{}')).toMatchObject({
      written_rows: '2',
    });
    expect(await stored()).toBe('1\ta\n2\tb\n');
  });

  test('defaults fill what the rows leave out', async () => {
    await empty();
    await send({}, { body: 'INSERT INTO rows FORMAT JSONEachRow {"n":1}' });
    expect((await send({}, { body: 'SELECT at > now() - 60 FROM rows' })).text).toBe('1\n');
  });

  test('a bad row stores nothing and is told as such', async () => {
    await empty();
    const answer = await send({}, { body: 'INSERT INTO rows FORMAT JSONEachRow {"n":1}\n{"n":"x"}\n' });
    expect(answer.status).toBe(400);
    expect(await stored()).toBe('');
  });

  test('a body that breaks off stores nothing', async () => {
    await empty();
    const folder = join(running.dataDir, 'warehouse', 'passing');
    const arrived = () =>
      readdirSync(folder)
        .filter((name) => name.startsWith('insert-'))
        .map((name) => statSync(join(folder, name)).size);
    const query = new URLSearchParams({ query: 'INSERT INTO rows FORMAT JSONEachRow' });
    const half = request(`${origin}/?${query}`, { method: 'POST', headers: { authorization } });
    half.on('error', () => {});
    half.write('{"n":1}\n'.repeat(10_000));
    await expect.poll(arrived, SOON).toEqual([80_000]);
    half.destroy();
    await expect.poll(arrived, SOON).toEqual([]);
    expect(await stored()).toBe('');
  });

  test('Parquet goes in and out', async () => {
    await empty();
    const parquet: Buffer[] = [];
    const sql = "SELECT toInt64(number) AS n, 'é' AS s FROM numbers(3)";
    for await (const chunk of await running.warehouse.bytes({ sql, format: 'Parquet' })) parquet.push(chunk);
    await running.warehouse.insert({ table: 'rows', format: 'Parquet', body: Buffer.concat(parquet) });
    expect(await stored()).toBe('0\té\n1\té\n2\té\n');
  });
});

test('ClickHouse’s own client works as it comes, compression and all', async () => {
  const client = createClient({
    url: running.url,
    compression: { request: true, response: true },
    log: { level: ClickHouseLogLevel.OFF },
  });
  try {
    await client.command({ query: 'CREATE TABLE own (n UInt32, s String) ENGINE = MergeTree ORDER BY n' });
    const values = Array.from({ length: 1000 }, (_, n) => ({ n, s: `row ${n}` }));
    await client.insert({ table: 'own', values, format: 'JSONEachRow' });
    const result = await client.query({
      query: 'SELECT n, s FROM own WHERE n < {limit:UInt32} ORDER BY n',
      query_params: { limit: 500 },
      format: 'JSONEachRow',
    });
    expect(await result.json()).toEqual(values.slice(0, 500));
    await expect(client.query({ query: 'SELECT nosuch' })).rejects.toMatchObject({
      code: '47',
      type: 'UNKNOWN_IDENTIFIER',
    });
    expect(await client.ping()).toMatchObject({ success: true });
  } finally {
    await client.close();
  }
});

import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { connectWarehouse } from './client.ts';
import type { Warehouse } from './warehouse.ts';

/** Servers that misbehave as ClickHouse, a proxy or a network may; the well-behaved one is in test/warehouse. */
const open: { server: Server; warehouse: Warehouse }[] = [];

async function against(listener: RequestListener): Promise<Warehouse> {
  const server = createServer((request, response) => {
    if (request.url?.includes('query_id=kill')) return void response.end();
    request.resume();
    request.on('end', () => listener(request, response));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://user:secret-password@127.0.0.1:${(server.address() as AddressInfo).port}`;
  const warehouse = connectWarehouse({ url, localFiles: false });
  open.push({ server, warehouse });
  return warehouse;
}

afterEach(async () => {
  for (const { server, warehouse } of open.splice(0)) {
    server.closeAllConnections();
    server.close();
    await warehouse.close();
  }
});

const query = { sql: 'SELECT 1', format: 'LineAsString' };

async function read(warehouse: Warehouse): Promise<string> {
  let text = '';
  for await (const chunk of await warehouse.bytes(query)) text += String(chunk);
  return text;
}

test('a complete answer is complete', async () => {
  const warehouse = await against((_, response) => response.end('{"a":1}\n'));
  expect(await read(warehouse)).toBe('{"a":1}\n');
});

test.each([
  ['a query', (warehouse: Warehouse) => warehouse.rows({ sql: 'SELECT 1' })],
  [
    'an insert',
    (warehouse: Warehouse) => warehouse.insert({ table: 't', format: 'CSV', body: Buffer.from('1') }),
  ],
  ['an INSERT SELECT', (warehouse: Warehouse) => warehouse.command({ sql: 'INSERT INTO t SELECT 1' })],
])(
  '%s carries what keeps an answer whole and an insert acknowledged after it is stored',
  async (what, ask) => {
    const asked: URLSearchParams[] = [];
    const warehouse = await against((request, response) => {
      asked.push(new URL(request.url ?? '', 'http://localhost').searchParams);
      response.end();
    });
    await ask(warehouse);
    expect(Object.fromEntries(asked[0] ?? [])).toMatchObject({
      insert_distributed_sync: '1',
      skip_unavailable_shards: '0',
      // Rows may be written to a replica that is behind, not read from it.
      fallback_to_stale_replicas_for_distributed_queries: what === 'an insert' ? '1' : '0',
      timeout_overflow_mode: 'throw',
    });
  },
);

test('inserts, kills and prompt questions do not wait behind answers that nobody reads', async () => {
  let open = 0;
  const warehouse = await against((request, response) => {
    if (!request.url?.includes('query_id=held')) return void response.end('{"a":1}\n');
    open += 1;
    response.write('{"a":1}\n');
  });
  const stop = new AbortController();
  const held = Array.from({ length: 64 }, (_, n) =>
    warehouse.bytes({ ...query, queryId: `held-${n}`, signal: stop.signal }).catch(() => {}),
  );
  await vi.waitUntil(() => open === 52, { timeout: 30_000 });
  await warehouse.insert({ table: 't', format: 'CSV', body: Buffer.from('1') });
  await warehouse.kill('another');
  expect(await warehouse.rows({ sql: 'SELECT 1', prompt: true })).toEqual([{ a: 1 }]);
  stop.abort();
  await Promise.all(held);
});

test('inserts do not wait behind kills of queries that take long to die', async () => {
  const kills: (() => void)[] = [];
  const warehouse = await against((request, response) => {
    if (request.url?.includes('param_id=')) kills.push(() => response.end());
    else response.end();
  });
  const killed = Array.from({ length: 12 }, (_, n) => warehouse.kill(`long-${n}`));
  await vi.waitUntil(() => kills.length === 4, { timeout: 30_000 });
  await warehouse.insert({ table: 't', format: 'CSV', body: Buffer.from('1') });
  for (let answered = 0; answered < killed.length; answered++) {
    await vi.waitUntil(() => kills.length > answered, { timeout: 30_000 });
    kills[answered]?.();
  }
  await Promise.all(killed);
});

test('a chunked answer without its last chunk fails', async () => {
  const warehouse = await against((_, response) => response.write('{"a":1}\n', () => response.destroy()));
  await expect(read(warehouse)).rejects.toMatchObject({ code: 'warehouse_unavailable' });
});

test('an answer shorter than its Content-Length fails', async () => {
  const warehouse = await against((_, response) => {
    response.writeHead(200, { 'Content-Length': 100 });
    response.write('{"a":1}\n', () => response.destroy());
  });
  await expect(read(warehouse)).rejects.toMatchObject({ code: 'warehouse_unavailable' });
});

test('an exception at the end of a well-formed answer fails with its class', async () => {
  const warehouse = await against((_, response) =>
    response.end(
      '{"a":1}\nCode: 241. DB::Exception: Memory limit. (MEMORY_LIMIT_EXCEEDED) (version 24.3.1.1 (official build))\n',
    ),
  );
  await expect(read(warehouse)).rejects.toMatchObject({ code: 'warehouse_memory' });
});

test('an exception between marks decides the class of a broken answer', async () => {
  const tag = 'abcdefabcdefabcd';
  const warehouse = await against((_, response) => {
    response.writeHead(200, { 'X-ClickHouse-Exception-Tag': tag });
    const text = 'Code: 394. DB::Exception: Stopped. (QUERY_WAS_CANCELLED)\n';
    const block = `\r\n__exception__\r\n${tag}\r\n${text}${text.length} ${tag}\r\n__exception__\r\n`;
    response.write(`{"a":1}\n${block}`, () => response.destroy());
  });
  await expect(read(warehouse)).rejects.toMatchObject({ code: 'warehouse_cancelled' });
});

test('a command whose answer breaks off has not succeeded', async () => {
  const warehouse = await against((_, response) => {
    response.writeHead(200);
    response.write('x', () => response.destroy());
  });
  await expect(warehouse.command({ sql: 'OPTIMIZE TABLE t' })).rejects.toMatchObject({
    code: 'warehouse_unavailable',
  });
});

test('a proxy without a ClickHouse behind it is an unreachable warehouse', async () => {
  const warehouse = await against((_, response) => response.writeHead(502).end('<html>Bad Gateway</html>'));
  await expect(warehouse.rows({ sql: 'SELECT 1' })).rejects.toMatchObject({ code: 'warehouse_unavailable' });
});

test('an answer that was not compressed as asked is refused', async () => {
  const warehouse = await against((_, response) => response.end('{"a":1}\n'));
  await expect(warehouse.bytes({ ...query, compression: 'zstd' })).rejects.toMatchObject({
    code: 'warehouse_query',
  });
});

test('nobody there: retry, and no password in the words', async () => {
  const warehouse = connectWarehouse({ url: 'http://user:secret-password@127.0.0.1:1', localFiles: false });
  const error = await warehouse.rows({ sql: 'SELECT 1' }).catch((reason: Error) => reason);
  expect(error).toMatchObject({ code: 'warehouse_unavailable', kind: 'retry' });
  expect(String((error as Error).stack)).not.toContain('secret-password');
  await warehouse.close();
});

test('a malformed URL is a bad setting, and is not repeated', () => {
  expect(() => connectWarehouse({ url: 'not a url with secret-password', localFiles: false })).toThrow(
    expect.objectContaining({ code: 'bad_configuration', message: 'CLICKHOUSE_URL is not a URL.' }),
  );
});

test('a query stopped before it is sent does not break off a later one on the same connection', async () => {
  const held: (() => void)[] = [];
  let asked = 0;
  const warehouse = await against((request, response) => {
    asked += 1;
    if (request.url?.includes('query_id=slow')) held.push(() => response.end('{"a":1}\n'));
    else response.end();
  });
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], shouldAdvanceTime: true });
  try {
    await read(warehouse);
    const stop = new AbortController();
    const stopped = warehouse.bytes({ ...query, signal: stop.signal });
    stop.abort();
    await expect(stopped).rejects.toMatchObject({ code: 'warehouse_cancelled' });
    // The kill that follows, and one more, so that it has been answered.
    await vi.waitUntil(() => asked === 2, { timeout: 30_000 });
    await read(warehouse);
    const slow = ['slow-1', 'slow-2'].map((queryId) => warehouse.rows({ sql: 'SELECT 1', queryId }));
    await vi.waitUntil(() => held.length === 2, { timeout: 30_000 });
    vi.advanceTimersByTime(10_000);
    for (const answer of held) answer();
    expect(await Promise.all(slow)).toEqual([[{ a: 1 }], [{ a: 1 }]]);
  } finally {
    vi.useRealTimers();
  }
});

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { startProxy, type TcpProxy } from './proxy.ts';
import type { Toxic } from './toxics.ts';

/** The toxics do what they say: else the tests that use them say nothing. */
const BODY = 'x'.repeat(64 * 1024);
let server: Server;
let proxy: TcpProxy;
let requests = 0;
beforeAll(async () => {
  server = createServer((_, response) => {
    requests += 1;
    response.end(BODY);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  proxy = await startProxy({ host: '127.0.0.1', port: (server.address() as AddressInfo).port }, () => 0.5);
});
afterEach(() => proxy.clear());
afterAll(async () => {
  await proxy.stop();
  server.close();
});

async function get(path = '/', patienceMs = 5_000): Promise<{ bytes: number; ms: number }> {
  const began = performance.now();
  const answer = await fetch(proxy.through(`http://server${path}`), {
    headers: { connection: 'close' },
    signal: AbortSignal.timeout(patienceMs),
  });
  return { bytes: (await answer.text()).length, ms: performance.now() - began };
}

it('passes everything on', async () => {
  expect(await get()).toMatchObject({ bytes: BODY.length });
});

it.each<[Toxic, number]>([
  [{ kind: 'latency', ms: 60 }, 120],
  [{ kind: 'stall', ms: 150 }, 150],
  [{ kind: 'bandwidth', bytesPerSecond: 512 * 1024 }, 120],
  [{ kind: 'slicer', bytes: 8192, gapMs: 10 }, 80],
  [{ kind: 'slowClose', ms: 100 }, 0],
])('%j: late, and whole', async (toxic, leastMs) => {
  const struck = proxy.strike(toxic);
  const { bytes, ms } = await get();
  expect(bytes).toBe(BODY.length);
  expect(ms).toBeGreaterThanOrEqual(leastMs - 5);
  expect(struck.count()).toBeGreaterThan(0);
});

it.each<Toxic>([
  { kind: 'reset', afterBytes: 10 },
  { kind: 'limitData', bytes: 20_000 },
  { kind: 'down' },
  { kind: 'flapping', every: 1 },
])('%j: breaks', async (toxic) => {
  proxy.strike(toxic);
  await expect(get()).rejects.toThrow(/terminated|failed/);
  proxy.clear();
  expect(await get()).toMatchObject({ bytes: BODY.length });
});

it('half-open: no answer, ever', async () => {
  proxy.strike({ kind: 'halfOpen' });
  await expect(get('/', 200)).rejects.toThrow(/timeout/);
});

it('begins when the client says so, and loses the reply to what was done', async () => {
  const struck = proxy.strike({ kind: 'loseReply' }, { when: /GET \/commit/, skip: 1 });
  expect(await get('/commit')).toMatchObject({ bytes: BODY.length });
  expect(await get('/other')).toMatchObject({ bytes: BODY.length });
  const before = requests;
  await expect(get('/commit')).rejects.toThrow(/failed/);
  expect([requests - before, struck.count()]).toEqual([1, 1]);
  expect(await get('/commit')).toMatchObject({ bytes: BODY.length });
});

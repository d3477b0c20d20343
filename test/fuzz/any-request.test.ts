import { Agent } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RunningSluice, startSluice } from '../kit/sluice.ts';
import { type Operation, readOperations } from './document.ts';
import { broken } from './promise.ts';
import { type Keys, type Request, requestTo } from './request.ts';
import { SECRET } from './samples.ts';
import { send } from './send.ts';
import { Stock } from './stock.ts';

/**
 * Any request at all, to a real server with real objects, driven by its own API description. Replay with
 * `SLUICE_SEED`; `SLUICE_FAULTS=long` sends 25 times as many.
 */
const LONG = process.env.SLUICE_FAULTS === 'long';
const REQUESTS = LONG ? 50_000 : 2_000;
const AT_ONCE = 4;
const seed = Number(process.env.SLUICE_SEED ?? Math.floor(Math.random() * 2 ** 31));

let sluice: RunningSluice;
let operations: Operation[];
let stock: Stock;
let keys: Keys;
/** Operations that fail only for want of an object or of a sensible request. */
const DEEP = [
  'batch_exports_retrieve',
  'batch_exports_destroy',
  'batch_exports_pause_create',
  'batch_exports_runs_retrieve',
  'batch_exports_backfills_retrieve',
  'integrations_retrieve',
  'personal_api_keys_destroy',
  'capture_batch_create',
  'plugins_retrieve',
  'plugin_configs_retrieve',
  'app_metrics_historical_exports_retrieve_2',
];
const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
const answered = new Map<string, number[]>();

beforeAll(async () => {
  sluice = await startSluice({ env: { SLUICE_MAX_BACKFILLS: '30' } });
  operations = await readOperations(sluice.ready.url);
  const narrow = await sluice.api<{ value: string }>('POST', '/api/personal_api_keys/', {
    label: 'narrow',
    scopes: ['batch_export:read'],
  });
  keys = {
    full: sluice.ready.personal_api_key,
    narrow: narrow.body.value,
    project: sluice.ready.project_api_key,
  };
  stock = new Stock(sluice);
  await stock.fill();
});
afterAll(async () => {
  agent.destroy();
  expect(await sluice.stop()).toBe(0);
});

async function ask(request: Request): Promise<void> {
  const outgoing = {
    ...request,
    path: stock.resolve(request.path),
    body: typeof request.body === 'string' ? stock.resolve(request.body) : request.body,
  };
  const reply = await send(sluice.ready.url, agent, outgoing);
  const { operation, method } = request;
  const problem = broken(operation, method, reply);
  if (problem) {
    const { headers, body, path } = outgoing;
    const asked = JSON.stringify({
      operation: operation?.id,
      method,
      path,
      headers,
      body: String(body).slice(0, 3000),
    });
    throw new Error(`the answer ${problem}\n${asked}\n${reply.status} ${reply.text.slice(0, 2000)}`);
  }
  if (operation) answered.set(operation.id, [...(answered.get(operation.id) ?? []), reply.status]);
  if (reply.status === 204 && method === 'DELETE') stock.removed(outgoing.path);
}

it(`${REQUESTS} requests are answered as promised (SLUICE_SEED=${seed})`, {
  timeout: LONG ? 1_200_000 : 300_000,
}, async () => {
  const group = fc.array(requestTo(operations, keys), { minLength: AT_ONCE, maxLength: AT_ONCE });
  await fc.assert(
    fc.asyncProperty(group, async (requests) => {
      await Promise.all(requests.map(ask));
      await stock.fill();
    }),
    // What a request meets depends on those before it: a smaller one would fail for other reasons.
    { seed, numRuns: REQUESTS / AT_ONCE, endOnFailure: true },
  );
  if (process.env.SLUICE_SHOW) console.table(summary());
  expect(operations.map(({ id }) => id).filter((id) => !answered.has(id))).toEqual([]);
  // Requests reach what is behind the front door, to the last: what they removed was there again.
  for (const id of DEEP) {
    const statuses = answered.get(id) ?? [];
    expect(statuses.filter((status) => status < 300).length / statuses.length, id).toBeGreaterThan(0.3);
  }
});

it('the server is well afterwards, and its log tells no secret', async () => {
  expect((await fetch(`${sluice.ready.url}/readyz`)).status).toBe(200);
  const logs = sluice.logs();
  expect(logs).toContain('"operation"');
  for (const secret of [SECRET, keys.full, keys.narrow]) expect(logs).not.toContain(secret);
});

/** Operation → how often it gave which status. */
function summary(): Record<string, Record<number, number>> {
  return Object.fromEntries(
    [...answered].map(([id, statuses]) => [
      id,
      Object.fromEntries(
        [...new Set(statuses)].map((one) => [one, statuses.filter((s) => s === one).length]),
      ),
    ]),
  );
}

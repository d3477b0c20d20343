import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { PostHog } from 'posthog-node';
import { demoEvents } from '../src/demo/events.ts';
import type { Claim } from './claim.ts';
import { inTurn, ratio, spread } from './measure.ts';
import { dataFolder, type Server, startServer } from './server.ts';

const EVENTS = Number(process.env.SLUICE_BENCH_CAPTURE_EVENTS ?? 60_000);
const EVENTS_PER_REQUEST = 100;
const CONNECTIONS = 16;
/** As many as the server's own. */
const INSERTS_AT_ONCE = 2;

interface Payload {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** What posthog-node sends, again and again, against inserting the very blocks that capture made of it. */
export const capture: Claim = {
  name: 'capture',
  title: 'Capture: events/s through /batch/ (posthog-node’s payloads) ÷ inserting the same blocks directly',
  run: async ({ turns }) => {
    using folder = dataFolder();
    await using server = await startServer(folder.path);
    const payloads = await recorded(server.sluice.ready.project_api_key);
    await replay(server, payloads);
    const blocks = await blocksOf(server);
    const pair = await inTurn(
      turns,
      () => replay(server, payloads),
      () => insertAll(server, blocks),
    );
    const speed = (times: readonly number[]) => `${spread(times.map((s) => EVENTS / s / 1000))} k events/s`;
    return [
      {
        what: `${payloads.length} requests of ${EVENTS_PER_REQUEST} events, gzip, ${CONNECTIONS} connections; ${blocks.length} blocks`,
        ours: speed(pair.ours),
        theirs: speed(pair.theirs),
        value: ratio(pair),
        bar: { atLeast: 0.4 },
      },
    ];
  },
};

/** The requests of a real client, kept as they came. */
async function recorded(key: string): Promise<Payload[]> {
  const payloads: Payload[] = [];
  const server = createServer(async (incoming, response) => {
    const body = await buffer(incoming);
    const kept = ['content-type', 'content-encoding', 'user-agent'].flatMap((name) => {
      const value = incoming.headers[name];
      return typeof value === 'string' ? [[name, value] as const] : [];
    });
    payloads.push({ path: incoming.url ?? '/batch/', headers: Object.fromEntries(kept), body });
    response.setHeader('content-type', 'application/json').end('{"status":"Ok"}');
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  try {
    const host = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const options = {
      host,
      flushAt: EVENTS_PER_REQUEST,
      maxBatchSize: EVENTS_PER_REQUEST,
      maxQueueSize: EVENTS,
    };
    const client = new PostHog(key, { ...options, flushInterval: 60_000 });
    const range = { start: new Date('2026-03-01'), end: new Date('2026-03-02') };
    for (const event of demoEvents({ seed: 7, ...range, count: EVENTS })) client.capture(event);
    await client.shutdown(120_000);
  } finally {
    server.close();
    server.closeAllConnections();
  }
  return payloads;
}

async function replay(server: Server, payloads: readonly Payload[]): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const left = payloads.values();
  const connection = async () => {
    for (const payload of left) await post(server.sluice.ready.url, payload, agent);
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, connection));
  agent.destroy();
}

function post(url: string, { path, headers, body }: Payload, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const call = request(new URL(path, url), {
      method: 'POST',
      agent,
      headers: { ...headers, 'content-length': body.length },
    });
    call.on('response', (answer) => {
      if (answer.statusCode !== 200) reject(new Error(`${path} answered ${answer.statusCode}`));
      answer.on('end', resolve).on('error', reject).resume();
    });
    call.on('error', reject).end(body);
  });
}

const COLUMNS = `uuid, event, properties, timestamp, team_id, distinct_id, elements_chain, created_at, person_id,
  person_properties, person_mode, _timestamp, inserted_at`;

/** All rows of an insert carry its arrival stamp, so the blocks that capture made can be read back one by one. */
async function blocksOf(server: Server): Promise<Buffer[]> {
  const stamps = await server.warehouse.rows<{ stamp: string; count: string }>({
    sql: 'SELECT toString(inserted_at) AS stamp, count() AS count FROM events GROUP BY inserted_at ORDER BY inserted_at',
  });
  const events = stamps.reduce((sum, { count }) => sum + Number(count), 0);
  if (events !== EVENTS) throw new Error(`${events} events stored instead of ${EVENTS}`);
  const blocks: Buffer[] = [];
  for (const { stamp } of stamps) {
    const sql = `SELECT ${COLUMNS} FROM events WHERE inserted_at = {stamp:String}`;
    blocks.push(await buffer(await server.warehouse.bytes({ sql, params: { stamp }, format: 'RowBinary' })));
  }
  return blocks;
}

async function insertAll(server: Server, blocks: readonly Buffer[]): Promise<void> {
  const left = blocks.values();
  const connection = async () => {
    for (const body of left) {
      await server.warehouse.insert({
        table: 'events',
        columns: COLUMNS.split(',').map((name) => name.trim()),
        format: 'RowBinary',
        body,
        settings: { max_partitions_per_insert_block: 0 },
      });
    }
  };
  await Promise.all(Array.from({ length: INSERTS_AT_ONCE }, connection));
}

import { bulkEvents } from '../src/demo/bulk.ts';
import { type Receiver, startReceiver } from '../test/kit/receiver.ts';
import type { Claim } from './claim.ts';
import { quantile } from './measure.ts';
import { call, dataFolder, type Server, startServer } from './server.ts';

const SECONDS = Number(process.env.SLUICE_BENCH_DELIVERY_SECONDS ?? 20);
const PER_SECOND = 500;
const PER_REQUEST = 50;
const BACKLOG = 100_000;

/** A webhook that is always a little busy, and events that keep coming; the receiver runs beside the server. */
export const delivery: Claim = {
  name: 'delivery',
  title: `Live delivery to a webhook that takes 10 ms: ${PER_SECOND} events/s for ${SECONDS} s, seconds from capturing an event to its delivery; then a backlog`,
  run: async () => {
    using folder = dataFolder();
    await using server = await startServer(folder.path);
    const receiver = await startReceiver();
    receiver.delay(10);
    try {
      await call(server, 'POST', '/plugin_configs/', {
        plugin: 1,
        enabled: true,
        config: { url: receiver.url },
      });
      const sent = new Map<string, number>();
      const { url, project_api_key: key } = server.sluice.ready;
      const begun = Date.now();
      const requests: Promise<void>[] = [];
      for (let n = 0; n < (SECONDS * PER_SECOND) / PER_REQUEST; n++) {
        const due = begun + (n * 1000 * PER_REQUEST) / PER_SECOND;
        await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - Date.now())));
        requests.push(captureBatch(url, key, sent));
      }
      await Promise.all(requests);
      const latest = Date.now() + 60_000;
      const arrived = () => new Map(receiver.taken().flatMap(({ uuids, at }) => uuids.map((id) => [id, at])));
      while (arrived().size < sent.size && Date.now() < latest) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      const times = arrived();
      const latencies = [...sent].map(
        ([id, at]) => ((times.get(id) ?? Number.POSITIVE_INFINITY) - at) / 1000,
      );
      const show = (q: number) => quantile(latencies, q).toFixed(2);
      const live = receiver.requests.length;
      const speed = await catchUp(server, receiver);
      return [
        {
          what: `99th percentile of ${sent.size} events in ${live} requests`,
          ours: `median ${show(0.5)}, 99 % ${show(0.99)}, worst ${show(1)}`,
          theirs: '',
          value: quantile(latencies, 0.99),
          bar: { atMost: 5 },
        },
        {
          what: `a backlog of ${BACKLOG} events that arrived within two seconds, events/s`,
          ours: `${speed.toFixed(0)} events/s`,
          theirs: '',
          value: speed,
          bar: { atLeast: 4 * PER_SECOND },
        },
      ];
    } finally {
      await receiver.close();
    }
  },
};

/** As after an hour in which the receiver was away: events of one moment lie all over a merged part. */
async function catchUp(server: Server, receiver: Receiver): Promise<number> {
  const before = delivered(receiver);
  const now = Date.now();
  const arrivals = { from: new Date(now + 2_000), to: new Date(now + 4_000) };
  const timestamps = { from: new Date(now - 3_600_000), to: new Date(now) };
  const teamId = server.sluice.ready.project_id;
  await server.warehouse.command(bulkEvents({ rows: BACKLOG, seed: 1, teamId, timestamps, arrivals }));
  const begun = performance.now();
  const latest = begun + 300_000;
  while (delivered(receiver) < before + BACKLOG) {
    if (performance.now() > latest) throw new Error(`only ${delivered(receiver) - before} were delivered`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  return BACKLOG / ((performance.now() - begun) / 1000);
}

const delivered = (receiver: Receiver): number =>
  receiver.taken().reduce((sum, { uuids }) => sum + uuids.length, 0);

async function captureBatch(url: string, key: string, sent: Map<string, number>): Promise<void> {
  const now = Date.now();
  const batch = Array.from({ length: PER_REQUEST }, (_, n) => {
    const uuid = crypto.randomUUID();
    sent.set(uuid, now);
    return {
      event: 'order placed',
      distinct_id: `user-${n}`,
      uuid,
      properties: { n, noise: 'x'.repeat(600) },
    };
  });
  const response = await fetch(new URL('/batch/', url), {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ api_key: key, batch }),
  });
  if (response.status !== 200) throw new Error(`capture answered ${response.status}`);
}

import { startReceiver } from '../test/kit/receiver.ts';
import type { Claim } from './claim.ts';
import { quantile } from './measure.ts';
import { call, dataFolder, startServer } from './server.ts';

const SECONDS = Number(process.env.SLUICE_BENCH_DELIVERY_SECONDS ?? 20);
const PER_SECOND = 500;
const PER_REQUEST = 50;

/** A webhook that is always a little busy, and events that keep coming; the receiver runs beside the server. */
export const delivery: Claim = {
  name: 'delivery',
  title: `Live delivery: ${PER_SECOND} events/s for ${SECONDS} s to a webhook that takes 10 ms, seconds from capturing an event to its delivery`,
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
      return [
        {
          what: `99th percentile of ${sent.size} events in ${receiver.requests.length} requests`,
          ours: `median ${show(0.5)}, 99 % ${show(0.99)}, worst ${show(1)}`,
          theirs: '',
          value: quantile(latencies, 0.99),
          bar: { atMost: 5 },
        },
      ];
    } finally {
      await receiver.close();
    }
  },
};

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

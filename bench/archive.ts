import { bulkEvents } from '../src/demo/bulk.ts';
import { idleLoad, projectLoad, stallLine } from './beside.ts';
import type { Claim } from './claim.ts';
import { loadUntil } from './load.ts';
import { call, dataFolder, type Server, startServer } from './server.ts';
import { startStore } from './store.ts';

const EVENTS = 200_000;
const PER_SECOND = 50;
const DAY = '2026-03-01';

/** People look at lists while an app with large batches, 20,000 events each, sends the past to a bucket. */
export const archive: Claim = {
  name: 'archive',
  title: `GET lists at ${PER_SECOND} per second while the S3 archive exports ${EVENTS} events of the past, two batches at once`,
  run: async () => {
    using folder = dataFolder();
    await using store = await startStore();
    await using server = await startServer(folder.path);
    const times = { from: new Date(DAY), to: new Date(Date.parse(DAY) + 3_600_000) };
    const teamId = server.sluice.ready.project_id;
    const bulk = { rows: EVENTS, seed: 1, teamId, timestamps: times, arrivals: times };
    await server.warehouse.command(bulkEvents(bulk));
    const { id } = await call<{ id: number }>(server, 'POST', '/plugin_configs/', {
      plugin: 3,
      enabled: true,
      config: {
        bucket_name: store.bucket,
        region: store.region,
        endpoint_url: store.url,
        aws_access_key_id: store.accessKeyId,
        aws_secret_access_key: store.secretAccessKey,
      },
    });
    const load = projectLoad(server, ['/batch_exports/'], PER_SECOND);
    const idle = await idleLoad(load);
    const begun = performance.now();
    const busy = await loadUntil(load, historicalExport(server, id));
    const seconds = (performance.now() - begun) / 1000;
    return [stallLine(`${(EVENTS / seconds / 1000).toFixed(1)} k events/s`, busy, idle)];
  },
};

interface Listed {
  readonly results: readonly { readonly status: string }[];
}

async function historicalExport(server: Server, config: number): Promise<void> {
  const payload = { dateRange: [DAY, DAY], parallelism: 2 };
  await call(server, 'POST', `/plugin_configs/${config}/job/`, {
    job: { type: 'Export historical events V2', operation: 'start', payload },
  });
  for (;;) {
    const list = await call<Listed>(server, 'GET', `/app_metrics/${config}/historical_exports/`);
    const status = list.results[0]?.status;
    if (status === 'success') return;
    if (status === 'fail') throw new Error('the historical export failed');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

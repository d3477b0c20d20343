import { bulkEvents } from '../src/demo/bulk.ts';
import { projectLoad } from './beside.ts';
import type { Claim, Line } from './claim.ts';
import type { FileFormat } from './formats.ts';
import { loadUntil } from './load.ts';
import { call, createExport, dataFolder, exportInterval, type Server, startServer } from './server.ts';
import { startStore } from './store.ts';

const IDLE_MS = 10_000;
const EXPORT_MS = 10_000;
const PER_SECOND = 50;
const FIRST = '2026-01-01';
const NEXT = '2026-01-02';

/** People look at lists while the same process exports, to files (the engine writes) and to S3 (Node moves bytes). */
export const api: Claim = {
  name: 'api',
  title: `GET lists at ${PER_SECOND} per second while an export runs ÷ idle`,
  run: async ({ rows }) => {
    using folder = dataFolder();
    await using store = await startStore();
    await using server = await startServer(folder.path);
    const range = { from: new Date(FIRST), to: new Date(NEXT) };
    const teamId = server.sluice.ready.project_id;
    await server.warehouse.command(
      bulkEvents({ rows: Math.min(rows, 1_000_000), seed: 1, teamId, timestamps: range, arrivals: range }),
    );
    const { id: integration } = await call<{ id: number }>(server, 'POST', '/integrations/', {
      kind: 's3-compatible',
      config: {
        name: 'bench',
        endpoint_url: store.url,
        aws_access_key_id: store.accessKeyId,
        aws_secret_access_key: store.secretAccessKey,
      },
    });
    const bucket = { bucket_name: store.bucket, region: store.region };
    const lines: Line[] = [];
    lines.push(
      ...(await compared(server, ['Parquet', 'zstd'], (config) => ({ type: 'Filesystem', config }))),
      ...(await compared(server, ['JSONLines', 'zstd'], (config) => ({
        type: 'S3Compatible',
        config: { ...bucket, ...config },
        integration,
      }))),
    );
    return lines;
  },
};

async function compared(
  server: Server,
  [format, compression]: FileFormat,
  destination: (config: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>,
): Promise<Line[]> {
  const config = { prefix: 'api', file_format: format, compression };
  const target = destination(config);
  const id = await createExport(server, 'day', target);
  const paths = ['/batch_exports/', `/batch_exports/${id}/runs/`, '/integrations/'];
  const load = projectLoad(server, paths, PER_SECOND);
  await exportOnce(server, id);
  const idle = await loadUntil(load, new Promise((resolve) => setTimeout(resolve, IDLE_MS)));
  const busy = await loadUntil(load, exportFor(server, id, EXPORT_MS));
  const name = `${String(target.type)} ${format} ${compression}`;
  return [
    {
      what: `${name}: p99, ms`,
      ours: busy.p99.toFixed(1),
      theirs: idle.p99.toFixed(1),
      value: busy.p99 / idle.p99,
      bar: { atMost: 3 },
    },
    {
      what: `${name}: longest stall, ms`,
      ours: busy.worst.toFixed(0),
      theirs: idle.worst.toFixed(0),
      value: busy.worst,
      bar: { atMost: 200 },
    },
  ];
}

const exportOnce = (server: Server, id: string) => exportInterval(server, id, [FIRST, NEXT], 250);

/** One export after the other for at least so long. */
async function exportFor(server: Server, id: string, ms: number): Promise<void> {
  const until = performance.now() + ms;
  while (performance.now() < until) await exportOnce(server, id);
}

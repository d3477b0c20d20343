import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type ReadEvent, readEvents } from '../kit/duckdb.ts';
import { type RunningSluice, startSluice } from '../kit/sluice.ts';
import { backfill, capture, createExport, yesterday } from './main-job.ts';

const PAST = 1_500;
const PRESENT = 300;
const { start, end } = yesterday();

/**
 * Two Sluices: the replicator of the first sends what is captured, as it comes, and a day of the past by a historical
 * export, into the second. Then both export that time, and an independent reader finds the same events.
 */
let source: RunningSluice;
let copy: RunningSluice;
beforeAll(async () => {
  [source, copy] = await Promise.all([startSluice(), startSluice()]);
});
afterAll(async () => {
  await Promise.all([source?.stop(), copy?.stop()]);
});

const project = (sluice: RunningSluice) => `/api/projects/${sluice.ready.project_id}`;

/** Exports a time range to files and reads them. */
async function exported(sluice: RunningSluice, from: Date, to: Date): Promise<ReadEvent[]> {
  const prefix = `copy-${from.getTime()}`;
  const destination = { type: 'Filesystem', config: { prefix, file_format: 'Parquet', compression: 'zstd' } };
  const id = await createExport(sluice, destination, 'day');
  const day = (at: Date) => at.toISOString().slice(0, 10);
  const runs = await backfill(sluice, id, day(from), day(to));
  expect(new Set(runs.map(({ status }) => status))).toEqual(new Set(['Completed']));
  return readEvents(join(sluice.dataDir, 'exports', prefix));
}

/** What belongs to the event and not to the place it is stored in. */
const ofTheEvent = ({ uuid, event, timestamp, distinct_id, properties, elements_chain }: ReadEvent) => ({
  uuid,
  event,
  timestamp,
  distinct_id,
  properties: JSON.parse(properties ?? 'null') as unknown,
  elements_chain,
});

it('copies events as they come and events of the past, unchanged', async () => {
  await capture(source, PAST, start, end);
  await clicks(source, start);
  const { status, body } = await source.api<{ id: number }>('POST', `${project(source)}/plugin_configs/`, {
    plugin: 2,
    enabled: true,
    config: { host: copy.ready.url, project_api_key: copy.ready.project_api_key },
  });
  expect(status).toBe(201);
  // Two days ago, captured now: what is live goes by its arrival.
  const before = new Date(start.getTime() - 86_400_000);
  await capture(source, PRESENT, before, start);
  const day = start.toISOString().slice(0, 10);
  const started = await source.api('POST', `${project(source)}/plugin_configs/${body.id}/job/`, {
    job: { type: 'Export historical events V2', payload: { dateRange: [day, day], parallelism: 2 } },
  });
  expect(started.status).toBe(200);
  await vi.waitFor(
    async () => {
      const { body: list } = await source.api<{ results: { status: string }[] }>(
        'GET',
        `${project(source)}/app_metrics/${body.id}/historical_exports/`,
      );
      expect(list.results).toEqual([expect.objectContaining({ status: 'success' })]);
      const { body: metrics } = await source.api<{ metrics: { totals: object } }>(
        'GET',
        `${project(source)}/app_metrics/${body.id}/?category=exportEvents`,
      );
      expect(metrics.metrics.totals).toEqual({
        successes: PAST + PRESENT + 1,
        successes_on_retry: 0,
        failures: 0,
      });
    },
    { timeout: 40_000, interval: 100 },
  );
  const [theirs, ours] = [await exported(copy, before, end), await exported(source, before, end)];
  expect(ours).toHaveLength(PAST + PRESENT + 1);
  expect(theirs.map(ofTheEvent)).toEqual(ours.map(ofTheEvent));
  expect(theirs.filter(({ elements_chain }) => elements_chain !== '')).toHaveLength(1);
});

/** One click with elements, which are stored beside the properties. */
async function clicks(sluice: RunningSluice, at: Date): Promise<void> {
  const response = await fetch(new URL('/e/', sluice.ready.url), {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      api_key: sluice.ready.project_api_key,
      event: '$autocapture',
      distinct_id: 'u1',
      timestamp: at.toISOString(),
      properties: {
        $elements: [{ tag_name: 'button', $el_text: 'Buy "now"', nth_child: 1, nth_of_type: 1 }],
        n: 1,
      },
    }),
  });
  expect(response.status).toBe(200);
}

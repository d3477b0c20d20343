import { PostHog } from 'posthog-node';
import { expect, vi } from 'vitest';
import { readEvents } from '../kit/duckdb.ts';
import type { RunningSluice } from '../kit/sluice.ts';

/** Yesterday, whole, UTC: the range that the flows backfill. */
export function yesterday(): { start: Date; end: Date } {
  const end = new Date(new Date().toISOString().slice(0, 10));
  return { start: new Date(end.getTime() - 86_400_000), end };
}

/** Sends `count` events spread over `[start, end)` with the real client; resolves when all are stored. */
export async function capture(
  sluice: RunningSluice,
  count: number,
  start: Date,
  end: Date,
): Promise<string[]> {
  const client = new PostHog(sluice.ready.project_api_key, {
    host: sluice.ready.url,
    flushAt: 500,
    maxQueueSize: count + 1,
  });
  const failures: unknown[] = [];
  client.on('error', (error) => failures.push(error));
  const step = (end.getTime() - start.getTime()) / count;
  const uuids = Array.from({ length: count }, () => crypto.randomUUID());
  for (const [i, uuid] of uuids.entries()) {
    client.capture({
      distinctId: `user-${i % 97}`,
      event: i % 3 === 0 ? '$pageview' : 'order placed',
      uuid,
      timestamp: new Date(start.getTime() + i * step),
      properties: { n: i, nested: { list: [1, 'zwei', null], text: 'Grüße 👋' } },
    });
  }
  await client.shutdown(60_000);
  expect(failures).toEqual([]);
  return uuids;
}

/** The uuids that an independent reader finds in the files of a folder and below, sorted. */
export async function uuids(folder: string): Promise<string[]> {
  return (await readEvents(folder)).map((event) => event.uuid);
}

interface RunList {
  readonly results: readonly Run[];
}

export interface Run {
  readonly id: string;
  readonly status: string;
  readonly records_completed: number | null;
  readonly records_total_count: number | null;
  readonly bytes_exported: number | null;
  readonly latest_error: string | null;
  readonly data_interval_start: string | null;
  readonly data_interval_end: string;
}

/** A paused export: only what is asked for runs, also when an hour ends in the middle of the test. Returns its id. */
export async function createExport(
  sluice: RunningSluice,
  destination: Record<string, unknown>,
  interval = 'day',
): Promise<string> {
  const { status, body } = await sluice.api<{ id: string }>(
    'POST',
    `/api/projects/${sluice.ready.project_id}/batch_exports/`,
    { name: 'flow', model: 'events', interval, paused: true, destination },
  );
  expect(status, JSON.stringify(body)).toBe(201);
  return body.id;
}

/** Backfills the range and waits until every run of the backfill has ended. */
export async function backfill(
  sluice: RunningSluice,
  exportId: string,
  start: string,
  end: string,
): Promise<Run[]> {
  const base = `/api/projects/${sluice.ready.project_id}/batch_exports/${exportId}`;
  const created = await sluice.api<{ backfill_id: string }>('POST', `${base}/backfills/`, {
    start_at: start,
    end_at: end,
  });
  expect(created.status, JSON.stringify(created.body)).toBe(201);
  const id = created.body.backfill_id;
  await vi.waitFor(
    async () => {
      const { body } = await sluice.api<{ status: string }>('GET', `${base}/backfills/${id}/`);
      expect(body.status).toBe('Completed');
    },
    { timeout: 90_000, interval: 100 },
  );
  const runs = await sluice.api<RunList>('GET', `${base}/runs/?after=-1d`);
  return [...runs.body.results];
}

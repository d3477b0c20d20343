import { expect, vi } from 'vitest';
import { readEvents } from '../kit/duckdb.ts';
import type { RunningSluice } from '../kit/sluice.ts';
import { manifestAndFiles, type Place } from './destinations.ts';

export interface Run {
  readonly id: string;
  readonly status: string;
  readonly records_completed: number | null;
  readonly records_total_count: number | null;
  readonly latest_error: string | null;
  readonly data_interval_start: string;
  readonly data_interval_end: string;
}

export const pathOf = (sluice: RunningSluice, exportId: string): string =>
  `/api/projects/${sluice.ready.project_id}/batch_exports/${exportId}`;

/** A paused export: only what is asked for runs. Returns its id. */
export async function createExport(
  sluice: RunningSluice,
  destination: Record<string, unknown>,
  interval = 'hour',
): Promise<string> {
  const { status, body } = await sluice.api<{ id: string }>(
    'POST',
    `/api/projects/${sluice.ready.project_id}/batch_exports/`,
    { name: 'fault', model: 'events', interval, paused: true, destination },
  );
  if (status !== 201) throw new Error(`the export was refused: ${JSON.stringify(body)}`);
  return body.id;
}

/** Begins a backfill; returns its id. */
export async function startBackfill(
  sluice: RunningSluice,
  exportId: string,
  range: { readonly start: Date; readonly end: Date },
): Promise<string> {
  const { status, body } = await sluice.api<{ backfill_id: string }>(
    'POST',
    `${pathOf(sluice, exportId)}/backfills/`,
    { start_at: range.start.toISOString(), end_at: range.end.toISOString() },
  );
  if (status !== 201) throw new Error(`the backfill was refused: ${JSON.stringify(body)}`);
  return body.backfill_id;
}

export async function runsOf(sluice: RunningSluice, exportId: string): Promise<readonly Run[]> {
  const runs: Run[] = [];
  let next: string | null = `${pathOf(sluice, exportId)}/runs/?after=-1d`;
  while (next !== null) {
    const page: { status: number; body: { results: Run[]; next: string | null } } = await sluice.api(
      'GET',
      next,
    );
    expect(page.status).toBe(200);
    runs.push(...page.body.results);
    next = page.body.next;
  }
  return runs;
}

/** Whether every backfill of the exports and every run of them has ended. */
export async function isOver(sluice: RunningSluice, exportIds: readonly string[]): Promise<boolean> {
  for (const id of exportIds) if ((await unfinished(sluice, id)).length > 0) return false;
  return true;
}

async function unfinished(sluice: RunningSluice, exportId: string): Promise<readonly { status: string }[]> {
  const { body } = await sluice.api<{ results: { status: string }[] }>(
    'GET',
    `${pathOf(sluice, exportId)}/backfills/`,
  );
  const all = [...body.results, ...(await runsOf(sluice, exportId))];
  return all.filter(({ status }) => ['Starting', 'Running'].includes(status));
}

/** Waits until every backfill of the export and every run of it has ended; returns the runs. */
export async function untilEnded(
  sluice: RunningSluice,
  exportId: string,
  timeout = 45_000,
): Promise<readonly Run[]> {
  return vi.waitFor(
    async () => {
      expect(await unfinished(sluice, exportId)).toEqual([]);
      return runsOf(sluice, exportId);
    },
    { timeout, interval: 50 },
  );
}

/**
 * Exactly once, as an independent reader sees it: DuckDB finds each uuid once and no other, the manifests name
 * the files that are there, nothing is left over, and the runs say the truth about it.
 */
export async function expectDelivered(
  place: Place,
  prefix: string,
  runs: readonly Run[],
  uuids: readonly string[],
): Promise<void> {
  const failed = runs.filter(({ status }) => status !== 'Completed');
  expect(failed).toEqual([]);
  const directory = await place.read(prefix);
  const read = (await readEvents(directory)).map(({ uuid }) => uuid);
  expect(differences(read, uuids)).toEqual({ missing: [], twice: [], strange: [] });
  const { named, there } = manifestAndFiles(directory, prefix);
  expect(named).toEqual(there);
  expect(place.leftovers(prefix)).toEqual([]);
  const completed = runs.reduce((sum, run) => sum + (run.records_completed ?? 0), 0);
  expect(completed).toBe(uuids.length);
  for (const run of runs) expect(run.records_total_count).toBe(run.records_completed);
}

/** Short to read when it fails: a list of thousands of uuids says nothing. */
export function differences(
  read: readonly string[],
  sent: readonly string[],
): { missing: string[]; twice: string[]; strange: string[] } {
  const counts = new Map<string, number>();
  for (const uuid of read) counts.set(uuid, (counts.get(uuid) ?? 0) + 1);
  const wanted = new Set(sent);
  return {
    missing: sent.filter((uuid) => !counts.has(uuid)).slice(0, 10),
    twice: [...counts].flatMap(([uuid, count]) => (count > 1 ? [uuid] : [])).slice(0, 10),
    strange: [...counts.keys()].filter((uuid) => !wanted.has(uuid)).slice(0, 10),
  };
}

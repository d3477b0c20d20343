import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RunningSluice, startSluice } from '../kit/sluice.ts';
import { createExport, pathOf, untilEnded } from './check.ts';
import { makeEvents, send } from './events.ts';
import { LONG, seeded } from './random.ts';

/** A backfill without an end goes on after SIGKILL, covers its range without gap, and unpauses the export in the end. */
const HOUR = 3_600_000;
const POINTS = LONG
  ? [1, 2, 3, 4, 5, 6].flatMap((n) => [`run-claimed:${n}`, `run-finishing:${n}`, `run-finished:${n}`])
  : ['run-finishing:3'];
const dataDir = mkdtempSync(join(tmpdir(), 'sluice-open-end-'));
const pointFile = join(dataDir, 'crash-at');
const env = { SLUICE_TEST: '1', SLUICE_CRASH_AT: `@${pointFile}` };
const begin = Math.floor(Date.now() / HOUR - 5) * HOUR;
let sluice: RunningSluice;
beforeAll(async () => {
  sluice = await startSluice({ dataDir, env });
  await send(sluice.ready, makeEvents(20, { start: new Date(begin), end: new Date() }, 50, seeded(3)));
});
afterAll(async () => {
  await sluice?.kill();
  rmSync(dataDir, { recursive: true, force: true });
});

interface Backfill {
  readonly status: string;
  readonly end_at: string | null;
}

it.each(POINTS)('killed at %s', async (point) => {
  const id = await createExport(sluice, { type: 'NoOp', config: {} });
  const path = pathOf(sluice, id);
  writeFileSync(pointFile, point);
  const died = once(sluice.process, 'exit');
  const body = { start_at: new Date(begin).toISOString(), end_at: null };
  await sluice.api('POST', `${path}/backfills/`, body).catch(() => {});
  await died;
  rmSync(pointFile);
  sluice = await startSluice({ dataDir, env });
  const runs = await untilEnded(sluice, id);
  const { body: page } = await sluice.api<{ results: Backfill[] }>('GET', `${path}/backfills/`);
  expect(page.results).toMatchObject([{ status: 'Completed', end_at: null }]);
  expect((await sluice.api<{ paused: boolean }>('GET', `${path}/`)).body.paused).toBe(false);
  const ordered = runs.toSorted(
    (a, b) => Date.parse(a.data_interval_start) - Date.parse(b.data_interval_start),
  );
  expect(ordered.length).toBeGreaterThanOrEqual(6);
  let at = begin;
  for (const run of ordered) {
    expect(run).toMatchObject({ status: 'Completed', records_completed: 0 });
    // The seam between event time and arrival time is a millisecond wide.
    expect(Date.parse(run.data_interval_start) - at).toBeLessThanOrEqual(1);
    at = Date.parse(run.data_interval_end);
  }
});

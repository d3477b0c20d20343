import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { dataFiles } from '../kit/duckdb.ts';
import { type RunningSluice, startSluice } from '../kit/sluice.ts';

/** docs/guide.md, "Backup, restore, upgrade": a restored copy that stands by until somebody has paused what must not run. */

const folder = mkdtempSync(join(tmpdir(), 'sluice-standby-'));
const file = join(folder, 'now');
const env = { SLUICE_TEST: '1', SLUICE_TEST_NOW: `@${file}` };
const dataDir = join(folder, 'data');
const wait = { timeout: 60_000, interval: 200 };
let sluice: RunningSluice;

/** Dies when it has published its first file, as a backup finds a run under way. */
beforeAll(async () => {
  writeFileSync(file, '2026-03-10T10:20:00Z');
  sluice = await startSluice({ dataDir, env: { ...env, SLUICE_CRASH_AT: 'published-one' } });
});
afterAll(async () => {
  await sluice?.stop();
  rmSync(folder, { recursive: true });
});

interface Run {
  readonly id: string;
  readonly status: string;
  readonly data_interval_start: string;
}

const exports = () => `/api/projects/${sluice.ready.project_id}/batch_exports/`;

async function create(prefix: string, interval: string): Promise<string> {
  const destination = { type: 'Filesystem', config: { prefix, file_format: 'JSONLines' } };
  return (await sluice.api<{ id: string }>('POST', exports(), { name: prefix, interval, destination })).body
    .id;
}

async function runs(id: string): Promise<readonly Run[]> {
  const path = `${exports()}${id}/runs/?after=2026-03-01&before=2027-01-01&order_by=data_interval_start`;
  return (await sluice.api<{ results: Run[] }>('GET', path)).body.results;
}

async function capture(): Promise<void> {
  const captured = await fetch(`${sluice.ready.url}/capture/`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ api_key: sluice.ready.project_api_key, event: 'seen', distinct_id: 'd' }),
  });
  expect(captured.status).toBe(200);
}

it('answers and captures, and begins nothing until it is started as usual', {
  timeout: 180_000,
}, async () => {
  const kept = await create('kept', 'hour');
  await capture();
  const died = new Promise((resolve) => sluice.process.once('exit', resolve));
  writeFileSync(file, '2026-03-10T11:05:00Z');
  await died;
  const underWay = dataFiles(join(dataDir, 'exports/kept'));
  expect(underWay).toHaveLength(1);

  sluice = await startSluice({ dataDir, env: { ...env, SLUICE_STANDBY: '1' } });
  expect(sluice.logs()).toContain('Standing by');
  const paused = await create('paused', 'hour');
  await capture();
  writeFileSync(file, '2026-03-10T14:05:00Z');
  await vi.waitFor(async () => {
    const metrics = await (await fetch(`${sluice.ready.url}/metrics`)).text();
    const overdue = /^sluice_exports_most_overdue_seconds (\S+)/m.exec(metrics)?.[1];
    expect(Number(overdue)).toBeGreaterThan(200);
  });
  const [run, ...others] = await runs(kept);
  expect([run?.status, others]).toEqual(['Running', []]);
  expect((await sluice.api('POST', `${exports()}${kept}/runs/${run?.id}/cancel/`)).status).toBe(200);
  expect((await sluice.api('POST', `${exports()}${paused}/pause/`)).status).toBe(200);
  expect(await sluice.stop()).toBe(0);

  sluice = await startSluice({ dataDir, env });
  const done = ['Cancelled', 'Completed', 'Completed', 'Completed'];
  await vi.waitFor(
    async () => expect((await runs(kept)).map(({ status }) => status).sort()).toEqual(done),
    wait,
  );
  expect(await runs(paused)).toEqual([]);
  expect(dataFiles(join(dataDir, 'exports/kept'))).toEqual(expect.arrayContaining(underWay));
  expect(await sluice.api('POST', `${exports()}${paused}/unpause/`, { backfill: true })).toMatchObject({
    status: 200,
  });
  await vi.waitFor(
    async () => expect((await runs(paused)).map(({ status }) => status)).toEqual(done.slice(1)),
    wait,
  );
});

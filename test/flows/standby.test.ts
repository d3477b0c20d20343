import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { type RunningSluice, startSluice } from '../kit/sluice.ts';

/** docs/guide.md, "Backup, restore, upgrade": a restored copy that stands by until somebody has paused what must not run. */

const folder = mkdtempSync(join(tmpdir(), 'sluice-standby-'));
const file = join(folder, 'now');
const env = { SLUICE_TEST: '1', SLUICE_TEST_NOW: `@${file}` };
const dataDir = join(folder, 'data');
let sluice: RunningSluice | undefined;

afterAll(async () => {
  await sluice?.stop();
  rmSync(folder, { recursive: true });
});

interface Run {
  readonly status: string;
  readonly records_completed: number | null;
}

it('answers and captures, and begins nothing until it is started as usual', {
  timeout: 120_000,
}, async () => {
  writeFileSync(file, '2026-03-10T10:20:00Z');
  let running = await startSluice({ dataDir, env: { ...env, SLUICE_STANDBY: '1' } });
  sluice = running;
  expect(running.logs()).toContain('Standing by');
  const exports = `/api/projects/${running.ready.project_id}/batch_exports/`;
  const create = async (prefix: string) => {
    const destination = { type: 'Filesystem', config: { prefix, file_format: 'JSONLines' } };
    const body = { name: prefix, interval: 'hour', destination };
    return (await running.api<{ id: string }>('POST', exports, body)).body.id;
  };
  const runs = async (id: string) => {
    const path = `${exports}${id}/runs/?after=2026-03-01&before=2027-01-01`;
    return (await running.api<{ results: Run[] }>('GET', path)).body.results;
  };
  const kept = await create('kept');
  const paused = await create('paused');
  const captured = await fetch(`${running.ready.url}/capture/`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ api_key: running.ready.project_api_key, event: 'seen', distinct_id: 'd' }),
  });
  expect(captured.status).toBe(200);

  writeFileSync(file, '2026-03-10T11:05:00Z');
  await vi.waitFor(async () => {
    const metrics = await (await fetch(`${running.ready.url}/metrics`)).text();
    expect(Number(/^sluice_exports_most_overdue_seconds (\S+)/m.exec(metrics)?.[1])).toBeGreaterThan(200);
  });
  expect(await runs(kept)).toEqual([]);
  expect((await running.api('PATCH', `${exports}${paused}/`, { paused: true })).status).toBe(200);
  expect(await running.stop()).toBe(0);

  running = await startSluice({ dataDir, env });
  sluice = running;
  await vi.waitFor(
    async () => expect(await runs(kept)).toMatchObject([{ status: 'Completed', records_completed: 1 }]),
    { timeout: 60_000, interval: 200 },
  );
  expect(await runs(paused)).toEqual([]);
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { type RunningSluice, startSluice } from '../kit/sluice.ts';

/** docs/reliability.md: a clock that was days ahead, set right, and a start after that. */

const folder = mkdtempSync(join(tmpdir(), 'sluice-ahead-'));
const file = join(folder, 'now');
const env = { SLUICE_TEST: '1', SLUICE_TEST_NOW: `@${file}`, SLUICE_JITTER: '0' };
const dataDir = join(folder, 'data');
let sluice: RunningSluice | undefined;

afterAll(async () => {
  await sluice?.stop();
  rmSync(folder, { recursive: true });
});

interface Run {
  readonly status: string;
  readonly data_interval_start: string;
  readonly records_completed: number | null;
}

it('events captured after it are exported', { timeout: 120_000 }, async () => {
  const set = (moment: string) => writeFileSync(file, moment);
  set('2026-03-10T10:20:00Z');
  let running = await startSluice({ dataDir, env });
  sluice = running;
  const exports = `/api/projects/${running.ready.project_id}/batch_exports/`;
  const destination = { type: 'Filesystem', config: { prefix: 'e', file_format: 'JSONLines' } };
  const body = { name: 'hourly', interval: 'hour', destination };
  const { id } = (await running.api<{ id: string }>('POST', exports, body)).body;
  const runs = async () => {
    const path = `${exports}${id}/runs/?after=2026-01-01&before=2027-01-01`;
    return (await running.api<{ results: Run[] }>('GET', path)).body.results;
  };
  const wait = { timeout: 60_000, interval: 200 };

  set('2026-03-12T10:20:00Z');
  await vi.waitFor(async () => {
    const all = await runs();
    expect(all.length).toBeGreaterThanOrEqual(48);
    expect(all.every(({ status }) => status === 'Completed')).toBe(true);
  }, wait);
  await running.stop();

  set('2026-03-10T10:30:00Z');
  running = await startSluice({ dataDir, env });
  sluice = running;
  const captured = await fetch(`${running.ready.url}/capture/`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ api_key: running.ready.project_api_key, event: 'after', distinct_id: 'd' }),
  });
  expect(captured.status).toBe(200);
  set('2026-03-10T11:05:00Z');
  await vi.waitFor(async () => {
    const delivered = (await runs()).filter(({ records_completed: rows }) => (rows ?? 0) > 0);
    expect(delivered).toMatchObject([{ data_interval_start: '2026-03-10T10:00:00Z', records_completed: 1 }]);
  }, wait);
});

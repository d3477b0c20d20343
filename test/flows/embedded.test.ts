import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningSluice, startSluice } from '../kit/sluice.ts';
import { backfill, capture, createExport, type Run, uuids, yesterday } from './main-job.ts';

const EVENTS = 3_000;
const { start, end } = yesterday();
const day = start.toISOString().slice(0, 10);
const nextDay = end.toISOString().slice(0, 10);

describe('the main job on the embedded engines', () => {
  let sluice: RunningSluice;
  let sent: string[];

  beforeAll(async () => {
    sluice = await startSluice();
    sent = await capture(sluice, EVENTS, start, end);
  });
  afterAll(async () => {
    expect(await sluice.stop()).toBe(0);
  });

  it.each([
    ['Parquet', 'zstd'],
    ['JSONLines', 'gzip'],
  ])('captured events are in the %s files, each once', async (format, compression) => {
    const prefix = `out/${format}`;
    const id = await createExport(sluice, {
      type: 'Filesystem',
      config: { prefix, file_format: format, compression },
    });
    const [run, ...others] = await backfill(sluice, id, day, nextDay);
    expect(others).toEqual([]);
    expect(run).toMatchObject({
      status: 'Completed',
      records_completed: EVENTS,
      records_total_count: EVENTS,
      latest_error: null,
    } satisfies Partial<Run>);
    const folder = join(sluice.dataDir, 'exports', prefix);
    expect(await uuids(folder)).toEqual(sent.toSorted());
    const manifest = join(folder, `${day}T00:00:00+00:00-${nextDay}T00:00:00+00:00_manifest.json`);
    expect(JSON.parse(readFileSync(manifest, 'utf8')).files).toHaveLength(1);
  });

  it('refuses a second process on its data directory', async () => {
    await expect(startSluice({ dataDir: sluice.dataDir })).rejects.toThrow(
      /exited with 1.*in use by another/s,
    );
  });

  it('survives kill -9 with everything it acknowledged, and exports after the restart', async () => {
    const id = await createExport(sluice, {
      type: 'Filesystem',
      config: { prefix: 'after-kill', file_format: 'Parquet' },
    });
    const dataDir = sluice.dataDir;
    await sluice.kill();
    sluice = await startSluice({ dataDir });
    const [run] = await backfill(sluice, id, day, nextDay);
    expect(run?.records_completed).toBe(EVENTS);
    expect(await uuids(join(dataDir, 'exports', 'after-kill'))).toEqual(sent.toSorted());
  });
});

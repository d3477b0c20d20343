import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Postgres, startPostgres } from '../kit/postgres.ts';
import { type RunningSluice, startSluice } from '../kit/sluice.ts';
import { startTestWarehouse, type TestWarehouse } from '../kit/warehouse.ts';
import { backfill, capture, createExport, type Run, uuids, yesterday } from './main-job.ts';

const EVENTS = 2_000;
const { start, end } = yesterday();

/** The same code on a Postgres server and a ClickHouse endpoint, with two Sluice processes. */
describe('the main job on servers', () => {
  let postgres: Postgres;
  let warehouse: TestWarehouse;
  let first: RunningSluice;
  let second: RunningSluice;
  let sent: string[];

  beforeAll(async () => {
    [postgres, warehouse] = await Promise.all([startPostgres(), startTestWarehouse()]);
    const env = {
      DATABASE_URL: await postgres.createDatabase(),
      CLICKHOUSE_URL: warehouse.url,
      SLUICE_SECRET_KEY: 'a secret of more than thirty-two bytes, for tests',
      SLUICE_SETTLE_SECONDS: '0',
      SLUICE_FILES_ROOT: warehouse.dataDir,
    };
    first = await startSluice({ env });
    second = await startSluice({ env });
    sent = await capture(first, EVENTS, start, end);
  });
  afterAll(async () => {
    await Promise.all([first?.stop(), second?.stop()]);
    await warehouse?.close();
    await postgres?.stop();
  });

  it('both processes are one Sluice', () => {
    expect(second.ready.project_id).toBe(first.ready.project_id);
    expect(second.ready.project_api_key).toBe(first.ready.project_api_key);
  });

  it('runs of two processes deliver every event once', async () => {
    const id = await createExport(
      second,
      { type: 'Filesystem', config: { prefix: 'shared', file_format: 'Parquet', compression: 'zstd' } },
      'hour',
    );
    const runs = await backfill(second, id, start.toISOString(), end.toISOString());
    expect(runs).toHaveLength(24);
    expect(new Set(runs.map((run) => run.status))).toEqual(new Set(['Completed']));
    expect(await uuids(join(warehouse.dataDir, 'shared'))).toEqual(sent.toSorted());
  });

  it('runs of a process that was killed move to the living one within 20 seconds', async () => {
    const id = await createExport(
      second,
      { type: 'Filesystem', config: { prefix: 'moved', file_format: 'JSONLines', compression: 'gzip' } },
      'hour',
    );
    const base = `/api/projects/${second.ready.project_id}/batch_exports/${id}`;
    await second.api('POST', `${base}/backfills/`, {
      start_at: start.toISOString(),
      end_at: end.toISOString(),
    });
    await first.kill();
    const killedAt = Date.now();
    await vi.waitFor(
      async () => {
        const { body } = await second.api<{ results: Run[] }>('GET', `${base}/runs/`);
        expect(body.results.filter((run) => run.status === 'Completed')).toHaveLength(24);
      },
      { timeout: 40_000, interval: 200 },
    );
    expect(Date.now() - killedAt).toBeLessThan(30_000);
    expect(await uuids(join(warehouse.dataDir, 'moved'))).toEqual(sent.toSorted());
  });
});

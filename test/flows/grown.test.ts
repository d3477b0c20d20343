import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Postgres, startPostgres } from '../kit/postgres.ts';
import { startReceiver } from '../kit/receiver.ts';
import { type RunningSluice, startSluice } from '../kit/sluice.ts';
import { startTestWarehouse, type TestWarehouse } from '../kit/warehouse.ts';
import { backfill, capture, createExport, uuids, yesterday } from './main-job.ts';

const EVENTS = 2_000;
const { start, end } = yesterday();

/** The same code on a Postgres server and a ClickHouse endpoint, with two Sluice processes. */
describe('the main job on servers', () => {
  let postgres: Postgres;
  let warehouse: TestWarehouse;
  let first: RunningSluice;
  let second: RunningSluice;
  let sent: string[];
  let env: Record<string, string>;
  let databaseUrl: string;
  /** Holds the step at which the first process is to die. */
  let pointFile: string;
  const startFirst = () =>
    startSluice({ env: { ...env, SLUICE_TEST: '1', SLUICE_CRASH_AT: `@${pointFile}` } });

  beforeAll(async () => {
    [postgres, warehouse] = await Promise.all([startPostgres(), startTestWarehouse()]);
    databaseUrl = await postgres.createDatabase();
    env = {
      DATABASE_URL: databaseUrl,
      CLICKHOUSE_URL: warehouse.url,
      SLUICE_SECRET_KEY: 'a secret of more than thirty-two bytes, for tests',
      SLUICE_SETTLE_SECONDS: '0',
      SLUICE_FILES_ROOT: warehouse.dataDir,
    };
    pointFile = join(warehouse.dataDir, 'crash-at');
    first = await startFirst();
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

  it('a process with a secret key of its own is refused', async () => {
    const { SLUICE_SECRET_KEY: _, ...alone } = env;
    await expect(startSluice({ env: alone })).rejects.toThrow('SLUICE_SECRET_KEY');
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

  it('deliveries of an app move from a process that was killed to the living one within 20 seconds', async () => {
    const receiver = await startReceiver();
    const database = new Client({ connectionString: databaseUrl });
    await database.connect();
    try {
      const { status } = await first.api('POST', `/api/projects/${first.ready.project_id}/plugin_configs/`, {
        plugin: 1,
        enabled: true,
        config: { url: receiver.url },
      });
      expect(status).toBe(201);
      const holder = await vi.waitFor(
        async () => {
          const { rows } = await database.query('SELECT owner FROM app_deliveries WHERE owner IS NOT NULL');
          const pid = Number(String(rows[0]?.owner).split(':')[1]);
          return [first, second].find(({ process }) => process.pid === pid) ?? expect.fail('nobody has it');
        },
        { timeout: 10_000, interval: 50 },
      );
      const living = holder === first ? second : first;
      await holder.kill();
      const killedAt = Date.now();
      const uuidsSent = await capture(living, 50, start, end);
      sent = [...sent, ...uuidsSent];
      await vi.waitFor(() => expect(receiver.taken().flatMap(({ uuids }) => uuids)).toHaveLength(50), {
        timeout: 40_000,
        interval: 50,
      });
      expect(Date.now() - killedAt).toBeLessThan(20_000);
      expect(
        receiver
          .taken()
          .flatMap(({ uuids }) => uuids)
          .toSorted(),
      ).toEqual(uuidsSent.toSorted());
      if (holder === first) first = await startFirst();
      else second = await startSluice({ env });
    } finally {
      await database.end();
      await receiver.close();
    }
  });

  it('a run whose process dies in the middle of it is taken over by the living one within 30 seconds', async () => {
    const id = await createExport(
      second,
      { type: 'Filesystem', config: { prefix: 'moved', file_format: 'JSONLines', compression: 'gzip' } },
      'hour',
    );
    const base = `/api/projects/${second.ready.project_id}/batch_exports/${id}`;
    writeFileSync(pointFile, 'slice-staged:1');
    const died = once(first.process, 'exit');
    const created = await second.api<{ backfill_id: string }>('POST', `${base}/backfills/`, {
      start_at: start.toISOString(),
      end_at: end.toISOString(),
    });
    const [, signal] = await died;
    expect(signal).toBe('SIGKILL');
    const killedAt = Date.now();
    rmSync(pointFile);
    const database = new Client({ connectionString: databaseUrl });
    await database.connect();
    const held = await database.query<{ id: string }>(
      "SELECT id FROM batch_export_runs WHERE status = 'Running' AND worker LIKE $1",
      [`%:${first.process.pid}:%`],
    );
    expect(held.rows.length).toBeGreaterThan(0);
    await vi.waitFor(
      async () => {
        const { body } = await second.api<{ status: string }>(
          'GET',
          `${base}/backfills/${created.body.backfill_id}/`,
        );
        expect(body.status).toBe('Completed');
      },
      { timeout: 40_000, interval: 200 },
    );
    expect(Date.now() - killedAt).toBeLessThan(30_000);
    const moved = await database.query(
      'SELECT 1 FROM batch_export_runs WHERE id = ANY($1) AND worker LIKE $2 AND attempt > 1',
      [held.rows.map(({ id: run }) => run), `%:${second.process.pid}:%`],
    );
    await database.end();
    expect(moved.rows).toHaveLength(held.rows.length);
    expect(await uuids(join(warehouse.dataDir, 'moved'))).toEqual(sent.toSorted());
  });
});

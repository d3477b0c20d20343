import { mkdtempSync, rmSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareDatabase } from '../../../test/kit/prepared-database.ts';
import { checkpointIfDue } from './checkpoint.ts';
import { openPgliteThread, type PgliteThread } from './pglite-thread.ts';
import { startTidying } from './tidying.ts';

const MIB = 1_048_576;

describe('tidying the embedded database', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'sluice-tidying-'));
  const folder = join(dataDir, 'database');
  let pglite: PgliteThread;

  beforeAll(async () => {
    await prepareDatabase(dataDir, 'empty');
    pglite = await openPgliteThread(folder);
  });
  afterAll(async () => {
    await pglite.close();
    rmSync(dataDir, { recursive: true });
  });

  /** Writes so much write-ahead log, as changes would. */
  const log = (mib: number) =>
    pglite.query(
      `select pg_logical_emit_message(false, 'test', repeat('x', ${MIB})) from generate_series(1, $1)`,
      [mib],
    );
  async function logBytes(): Promise<number> {
    const segments = (await readdir(join(folder, 'pg_wal'), { withFileTypes: true })).filter((e) =>
      e.isFile(),
    );
    const sizes = await Promise.all(segments.map(({ name }) => stat(join(folder, 'pg_wal', name))));
    return sizes.reduce((sum, { size }) => sum + size, 0);
  }

  it('leaves a short log alone', async () => {
    await log(10);
    expect(await checkpointIfDue(pglite)).toBe(false);
  });

  it('gives the room of the log back: one that is written all the time does not grow', async () => {
    for (let round = 0; round < 6; round++) {
      await log(65);
      expect(await checkpointIfDue(pglite)).toBe(true);
      expect(await checkpointIfDue(pglite)).toBe(false);
    }
    expect(await logBytes()).toBeLessThan(200 * MIB);
  });

  it('looks again after each nap, also after a look that failed', async () => {
    const naps: number[] = [];
    const errors: unknown[] = [];
    const { promise: looked, resolve: onLook } = Promise.withResolvers<void>();
    const asked: string[] = [];
    const failing = {
      exec: pglite.exec,
      query: async <Row>(sql: string, parameters?: readonly unknown[]) => {
        asked.push(sql);
        if (asked.length < 4) throw new Error(`away ${asked.length}`);
        if (sql.includes('pg_control_checkpoint')) onLook();
        return pglite.query<Row>(sql, parameters);
      },
    };
    const clock = {
      now: () => 0,
      sleep: async (ms: number, signal?: AbortSignal) => {
        naps.push(ms);
        if (naps.length < 3 || signal?.aborted) return;
        await new Promise((_, reject) => signal?.addEventListener('abort', reject));
      },
    };
    const tidying = startTidying(failing, clock, (error) => errors.push(error));
    await looked;
    await tidying.stop();
    expect(naps).toEqual([60_000, 60_000, 60_000]);
    expect(errors).toEqual([new Error('away 1'), new Error('away 2'), new Error('away 3')]);
  });
});

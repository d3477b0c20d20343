import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { prepareDatabase } from '../../../test/kit/prepared-database.ts';
import { mayMount, type SmallDisk, smallDisk } from '../../../test/kit/small-disk.ts';
import { openPgliteThread, type PgliteThread } from './pglite-thread.ts';

describe.skipIf(!mayMount())('the embedded database on a full disk', () => {
  const losses: string[] = [];
  let disk: SmallDisk;
  let pglite: PgliteThread;

  const open = () =>
    openPgliteThread(join(disk.path, 'database'), (error) => losses.push(error.message), { reopenMs: 50 });
  const full = { code: 'database_unavailable', message: expect.stringContaining('full') };

  beforeAll(async () => {
    disk = smallDisk(150);
    await prepareDatabase(disk.path, 'empty');
    pglite = await open();
    await pglite.exec('create table kept (n int) with (fillfactor = 10); insert into kept values (0)');
  });
  afterAll(async () => {
    await pglite.close();
    disk.remove();
  });
  const kept = async () => (await pglite.query<{ n: number }>('select n from kept')).rows[0]?.n;

  it('refuses what needs more room, says why, and reads and changes what does not', async () => {
    disk.fill();
    await expect(pglite.query('create table more as select generate_series(1, 1e5)')).rejects.toMatchObject(
      full,
    );
    await pglite.query('update kept set n = n + 1');
    expect(await kept()).toBe(1);
    expect(losses).toEqual([]);
  });

  it('starts anew when there was no room for its log, without end until there is, and has every commit', async () => {
    let acknowledged = 1;
    const untilPanic = async () => {
      for (;;) {
        await pglite.query('update kept set n = n + 1');
        acknowledged += 1;
        await pglite.query(`select pg_logical_emit_message(false, 'test', repeat('x', 100000))`);
      }
    };
    await expect(untilPanic()).rejects.toMatchObject(full);
    await expect(pglite.query('select 1')).rejects.toMatchObject(full);
    expect(losses).toEqual([expect.stringContaining('No space left on device')]);
    await expect(pglite.query('select 1')).rejects.toMatchObject(full);
    disk.makeRoom();
    const found = await vi.waitFor(kept, { timeout: 20_000, interval: 50 });
    // The one that failed may have happened.
    expect([acknowledged, acknowledged + 1]).toContain(found);
    await pglite.query('create table more as select generate_series(1, 1e5)');
  });

  it('is not opened where there is no room to, and says so', async () => {
    await pglite.close();
    disk.fill();
    await expect(open()).rejects.toMatchObject(full);
    disk.makeRoom();
    pglite = await open();
    expect(await kept()).toBeGreaterThan(1);
  });
});

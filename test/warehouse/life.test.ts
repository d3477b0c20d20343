import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connectWarehouse } from '../../src/warehouse/client.ts';
import { findRunningWarehouse } from '../../src/warehouse/embedded/endpoint-file.ts';
import { startTestWarehouse } from '../kit/warehouse.ts';

/** Far more than it takes, for machines with much else to do. */
const SOON = { timeout: 30_000 };

let dataDir: string;
const launchers: ChildProcess[] = [];

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'sluice-life-'));
});
afterEach(async () => {
  for (const launcher of launchers.splice(0)) await end(launcher, 'SIGKILL');
  await expect.poll(() => isAlive(enginePid()), SOON).toBe(false);
  rmSync(dataDir, { recursive: true, force: true });
});

/** `sluice warehouse`, as a person starts it; resolves with the URL it prints. */
async function launch(...options: string[]): Promise<{ launcher: ChildProcess; url: string }> {
  const main = new URL('../../src/cli/main.ts', import.meta.url).pathname;
  const launcher = spawn(
    process.execPath,
    [main, 'warehouse', '--port', '0', '--data-dir', dataDir, ...options],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  launchers.push(launcher);
  const lines = createInterface({ input: launcher.stdout as NodeJS.ReadableStream });
  const [url] = (await once(lines, 'line')) as [string];
  return { launcher, url };
}

async function end(process: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (process.exitCode === null && process.signalCode === null) {
    const gone = once(process, 'exit');
    process.kill(signal);
    await gone;
  }
  return process.exitCode;
}

/** From the lock the engine's process holds; 0 when there is none. */
function enginePid(): number {
  try {
    return (JSON.parse(readFileSync(join(dataDir, 'warehouse', 'engine.lock'), 'utf8')) as { pid: number })
      .pid;
  } catch {
    return 0;
  }
}

/** A process that ended but was not reaped by its new parent does not count. */
function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2)[0] !== 'Z';
  } catch {
    return false;
  }
}

const insert = { table: 'app_metrics2', format: 'JSONEachRow' };
const row = (id: number) => Buffer.from(`${JSON.stringify({ team_id: id })}\n`);
const count = { sql: 'SELECT toUInt32(count(DISTINCT team_id)) AS rows FROM app_metrics2' };

describe('the engine’s process', () => {
  test('that gives no answer any more is ended and started again', async () => {
    const running = await startTestWarehouse({ dataDir, hungAfterMs: 3_000 });
    try {
      await running.warehouse.insert({ ...insert, body: row(1) });
      const pid = enginePid();
      process.kill(pid, 'SIGSTOP');
      await expect.poll(() => enginePid() !== pid && enginePid() !== 0, SOON).toBe(true);
      const rows = () => running.warehouse.rows(count).catch(() => []);
      await expect.poll(rows, SOON).toEqual([{ rows: 1 }]);
    } finally {
      await running.close();
    }
  });

  test('killed: restarts at the same URL with every acknowledged insert, and says so meanwhile', async () => {
    const running = await startTestWarehouse({ dataDir });
    try {
      for (let kill = 1; kill <= 2; kill++) {
        for (let id = 0; id < 20; id++)
          await running.warehouse.insert({ ...insert, body: row(kill * 100 + id) });
        const pid = enginePid();
        process.kill(pid, 'SIGKILL');
        await expect(running.warehouse.ping()).rejects.toMatchObject({ code: 'warehouse_unavailable' });
        await expect
          .poll(
            () =>
              running.warehouse.ping().then(
                () => 'up',
                () => 'down',
              ),
            { timeout: 20_000 },
          )
          .toBe('up');
        expect(await running.warehouse.rows(count)).toEqual([{ rows: kill * 20 }]);
        expect(enginePid()).not.toBe(pid);
      }
    } finally {
      await running.close();
    }
  });

  test('killed while it streams: the stream fails as one to try again', async () => {
    const running = await startTestWarehouse({ dataDir });
    try {
      const sql = 'SELECT number FROM numbers(100000000000)';
      const stream = await running.warehouse.bytes({ sql, format: 'JSONEachRow' });
      process.kill(enginePid(), 'SIGKILL');
      await expect(stream.forEach(() => {})).rejects.toMatchObject({
        code: 'warehouse_unavailable',
        kind: 'retry',
      });
    } finally {
      await running.close();
    }
  });

  test('goes when its launcher is killed, and the next launcher finds the data', async () => {
    const first = await launch();
    const client = connectWarehouse({ url: first.url, localFiles: true });
    await client.insert({ ...insert, body: row(1) });
    await client.close();
    const pid = enginePid();
    await end(first.launcher, 'SIGKILL');
    const second = await launch();
    expect(isAlive(pid)).toBe(false);
    const again = connectWarehouse({ url: second.url, localFiles: true });
    expect(await again.rows(count)).toEqual([{ rows: 1 }]);
    await again.close();
  });

  test('SIGTERM to the launcher stops both, also in the middle of a query, and leaves nothing behind', async () => {
    const { launcher, url } = await launch();
    const client = connectWarehouse({ url, localFiles: true });
    const sql = 'SELECT number FROM numbers(100000000000)';
    const stream = await client.bytes({ sql, format: 'JSONEachRow' });
    const reading = expect(stream.forEach(() => {})).rejects.toMatchObject({ kind: 'retry' });
    const pid = enginePid();
    expect(await end(launcher, 'SIGTERM')).toBe(0);
    await reading;
    await client.close();
    expect(isAlive(pid)).toBe(false);
    expect(readdirSync(dataDir).toSorted()).toEqual(['warehouse', 'warehouse.lock.kernel']);
    expect(readdirSync(join(dataDir, 'warehouse')).toSorted()).toEqual(['data', 'engine.lock.kernel']);
  });

  test('close() with a query running takes a moment, not longer', async () => {
    const running = await startTestWarehouse({ dataDir });
    const sql = 'SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1';
    const refused = expect(running.warehouse.rows({ sql, queryId: 'long' })).rejects.toMatchObject({
      kind: 'retry',
    });
    await expect
      .poll(() =>
        running.warehouse.rows({ sql: "SELECT 1 AS x FROM system.processes WHERE query_id = 'long'" }),
      )
      .toEqual([{ x: 1 }]);
    const pid = enginePid();
    await running.close();
    await refused;
    expect(isAlive(pid)).toBe(false);
  });
});

describe('the folder', () => {
  test('belongs to one process, and the refusal names it', async () => {
    const running = await startTestWarehouse({ dataDir });
    try {
      await expect(startTestWarehouse({ dataDir })).rejects.toMatchObject({
        code: 'data_dir_locked',
        message: expect.stringContaining(`pid ${process.pid}`),
      });
      expect(await running.warehouse.rows({ sql: 'SELECT 1 AS x' })).toEqual([{ x: 1 }]);
    } finally {
      await running.close();
    }
    await (await startTestWarehouse({ dataDir })).close();
  });

  test('tells other processes of the same user where the warehouse is, as long as it is', async () => {
    expect(await findRunningWarehouse(dataDir)).toBeNull();
    const running = await startTestWarehouse({ dataDir });
    const file = join(dataDir, 'endpoint.json');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await findRunningWarehouse(dataDir)).toEqual({ url: running.url, pid: process.pid });
    await running.close();
    expect(existsSync(file)).toBe(false);
    expect(await findRunningWarehouse(dataDir)).toBeNull();
  });

  test('a launcher that was killed leaves an address where nobody answers', async () => {
    const { launcher } = await launch();
    await end(launcher, 'SIGKILL');
    await expect.poll(() => findRunningWarehouse(dataDir), SOON).toBeNull();
  });
});

test('--password and --no-password', async () => {
  const open = await launch('--no-password');
  expect(new URL(open.url).password).toBe('');
  expect(await (await fetch(open.url, { method: 'POST', body: 'SELECT 1' })).text()).toBe('1\n');
  await end(open.launcher, 'SIGTERM');
  const closed = await launch('--password', 'p@ss word');
  const client = connectWarehouse({ url: closed.url, localFiles: true });
  expect(await client.rows({ sql: 'SELECT 1 AS x' })).toEqual([{ x: 1 }]);
  await client.close();
});

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Postgres, startPostgres } from '../kit/postgres.ts';
import { type RunningSluice, startSluice } from '../kit/sluice.ts';
import { createExport, expectDelivered, isOver, pathOf, startBackfill, untilEnded } from './check.ts';
import { filesystem, type Place } from './destinations.ts';
import { makeEvents, type Range, send, sendUntilStored } from './events.ts';
import { seeded } from './random.ts';

const HOUR = 3_600_000;
const yesterday = Math.floor(Date.now() / 86_400_000 - 1) * 86_400_000;
const hours = (count: number): Range => ({
  start: new Date(yesterday),
  end: new Date(yesterday + count * HOUR),
});
const uuidsOf = (events: readonly { uuid: string }[]) => events.map(({ uuid }) => uuid);

let dataDir: string;
let files: Place;
let sluice: RunningSluice | undefined;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'sluice-engine-faults-'));
  files = filesystem(join(dataDir, 'exports'));
});
afterEach(async () => {
  await sluice?.kill();
  sluice = undefined;
  rmSync(dataDir, { recursive: true, force: true });
});

const messages = async (server: RunningSluice, id: string): Promise<string[]> => {
  const { body } = await server.api<{ results: { message: string }[] }>(
    'GET',
    `${pathOf(server, id)}/logs/?limit=500`,
  );
  return body.results.map(({ message }) => message);
};

it('the warehouse’s memory limit: slices are halved until they fit, and the run completes', async () => {
  sluice = await startSluice({ dataDir, env: { SLUICE_WAREHOUSE_MEMORY: '150000000' } });
  const events = makeEvents(20_000, hours(1), 3_000, seeded(3));
  for (let at = 0; at < events.length; at += 2_000) await send(sluice.ready, events.slice(at, at + 2_000));
  const id = await createExport(
    sluice,
    files.destination('memory', { file_format: 'Parquet', compression: 'zstd' }),
  );
  await startBackfill(sluice, id, hours(1));
  const runs = await untilEnded(sluice, id, 100_000);
  const said = await messages(sluice, id);
  expect(said.filter((message) => message.includes('memory'))).not.toEqual([]);
  await expectDelivered(files, 'memory', runs, uuidsOf(events));
}, 180_000);

describe('the embedded warehouse killed', () => {
  /** The chDB process is the only child that the server forks. */
  function killEngine(server: RunningSluice): void {
    const { pid } = server.process;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      .trim()
      .split(' ')
      .filter(Boolean);
    for (const child of children) process.kill(Number(child), 'SIGKILL');
    expect(children).toHaveLength(1);
  }

  it('during an export: the run is tried again and completes', async () => {
    sluice = await startSluice({ dataDir, env: { SLUICE_RETRY_SECONDS: '1' } });
    const events = makeEvents(6_000, hours(6), 1_500, seeded(4));
    await send(sluice.ready, events);
    const id = await createExport(sluice, files.destination('killed', { max_file_size_mb: 1 }));
    await startBackfill(sluice, id, hours(6));
    killEngine(sluice);
    const runs = await untilEnded(sluice, id);
    expect(runs).toHaveLength(6);
    await expectDelivered(files, 'killed', runs, uuidsOf(events));
    expect(await messages(sluice, id)).toContainEqual(
      expect.stringMatching(/^Attempt 1 failed: The warehouse/),
    );
  });

  it('during capture: what is acknowledged is stored once', async () => {
    const server = await startSluice({ dataDir });
    sluice = server;
    const random = seeded(5);
    const events = makeEvents(1_500, hours(1), 300, random);
    let kills = 0;
    for (let at = 0; at < events.length; at += 50) {
      const stored = sendUntilStored(server.ready, events.slice(at, at + 50));
      if (at % 500 === 250) {
        killEngine(server);
        kills += 1;
      }
      await stored;
    }
    expect(kills).toBe(3);
    const id = await createExport(server, files.destination('captured', { max_file_size_mb: 50 }));
    await startBackfill(server, id, hours(1));
    await expectDelivered(files, 'captured', await untilEnded(server, id), uuidsOf(events));
  });
});

describe('the Postgres server', () => {
  let postgres: Postgres;
  beforeEach(async () => {
    postgres = await startPostgres({ fsync: true });
  });
  afterEach(() => postgres?.stop());

  it('killed and away for a while during runs: the server waits for it, and every run completes; a stop without it is in order', async () => {
    const server = await startSluice({ dataDir, env: { DATABASE_URL: await postgres.createDatabase() } });
    sluice = server;
    const events = makeEvents(6_000, hours(12), 1_000, seeded(6));
    await send(server.ready, events);
    const id = await createExport(server, files.destination('postgres', { max_file_size_mb: 1 }));
    await startBackfill(server, id, hours(12));
    await vi.waitFor(async () => expect(await messages(server, id)).not.toEqual([]), { timeout: 20_000 });
    expect(await isOver(server, [id])).toBe(false);
    await postgres.kill();
    await vi.waitFor(
      async () => expect((await fetch(new URL('/readyz', server.ready.url))).status).toBe(503),
      {
        timeout: 15_000,
      },
    );
    await postgres.restart();
    const runs = await untilEnded(server, id, 60_000);
    expect(runs).toHaveLength(12);
    await expectDelivered(files, 'postgres', runs, uuidsOf(events));
    expect(server.process.exitCode).toBeNull();
    const metrics = await fetch(new URL('/metrics', server.ready.url)).then((answer) => answer.text());
    expect(metrics).toMatch(/^sluice_runs_ended_total\{kind="export",status="Completed"\} 12$/m);
    expect(metrics).toMatch(/^sluice_runs_active 0$/m);
    expect(metrics).toMatch(/^sluice_capture_queued_bytes 0$/m);
    expect(metrics).toMatch(/^process_resident_memory_bytes \d+$/m);
    await postgres.kill();
    expect(await server.stop()).toBe(0);
  }, 120_000);
});

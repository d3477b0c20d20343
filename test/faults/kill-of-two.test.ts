import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Postgres, startPostgres } from '../kit/postgres.ts';
import { type RunningSluice, startSluice } from '../kit/sluice.ts';
import { startTestWarehouse, type TestWarehouse } from '../kit/warehouse.ts';
import { createExport, expectDelivered, isOver, startBackfill, untilEnded } from './check.ts';
import { type BucketPlace, filesystem, openBucketPlace } from './destinations.ts';
import { makeEvents, type Range, send } from './events.ts';
import { chooseSeed, LONG, seeded } from './random.ts';
import { beginWave, keepCapturing } from './waves.ts';

/**
 * anchors.md D.3, row 2: two processes on one Postgres server and one ClickHouse endpoint, either of them killed at random,
 * now and then both. No run has two owners, and none is left without one.
 */
const KILLS = LONG ? 200 : 3;
/** From both being ready to the next kill. */
const LONGEST_LIFE_MS = 2_000;
/** So many kills take both processes at once. */
const BOTH = 0.15;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const yesterday = Math.floor(Date.now() / DAY - 1) * DAY;
const backlog: Range = { start: new Date(yesterday), end: new Date(yesterday + 6 * HOUR) };
const ongoing: Range = { start: new Date(yesterday - DAY), end: new Date(yesterday - DAY + HOUR) };

const root = mkdtempSync(join(tmpdir(), 'sluice-two-'));
const files = filesystem(root);
let postgres: Postgres;
let warehouse: TestWarehouse;
let bucket: BucketPlace;
let env: Record<string, string>;
let servers: RunningSluice[] = [];

beforeAll(async () => {
  [postgres, warehouse] = await Promise.all([startPostgres(), startTestWarehouse()]);
  env = {
    DATABASE_URL: await postgres.createDatabase(),
    CLICKHOUSE_URL: warehouse.url,
    SLUICE_SECRET_KEY: 'a secret of more than thirty-two bytes, for tests',
    SLUICE_SETTLE_SECONDS: '0',
    SLUICE_FILES_ROOT: root,
    SLUICE_MAX_BACKFILLS: '1000',
  };
  servers = [await startSluice({ env })];
  servers.push(await startSluice({ env }));
  bucket = await openBucketPlace(one(0));
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  await bucket?.close();
  await warehouse?.close();
  await postgres?.stop();
  rmSync(root, { recursive: true, force: true });
});

function one(index: number): RunningSluice {
  const server = servers[index];
  if (!server) throw new Error(`no server ${index}`);
  return server;
}

/** Kills one of the two, or both, the first time in any case; the other works on alone until the new one is ready. */
async function killAndReplace(random: () => number, first: boolean): Promise<number> {
  const doomed = random() < BOTH || first ? [0, 1] : [random() < 0.5 ? 0 : 1];
  await Promise.all(doomed.map((index) => one(index).kill()));
  for (const index of doomed) servers[index] = await startSluice({ env });
  return doomed.length;
}

it(`exactly once by two processes through ${KILLS} kills of either`, {
  timeout: KILLS * 30_000 + 120_000,
}, async () => {
  const seed = chooseSeed('kills of two');
  const random = seeded(seed);
  const events = makeEvents(4_000, backlog, 900, random);
  const uuids = events.map(({ uuid }) => uuid);
  await send(one(0).ready, events);
  const enough = new AbortController();
  const choice = seeded(seed + 2);
  const capturing = keepCapturing(
    () => one(choice() < 0.5 ? 0 : 1),
    ongoing,
    seeded(seed + 1),
    enough.signal,
  );
  let kills = 0;
  let waves = 0;
  let longest = 0;
  while (kills < KILLS) {
    waves += 1;
    const wave = await beginWave(one(waves % 2), waves, { files, bucket }, backlog);
    const ids = wave.map(({ id }) => id);
    let killed = Date.now();
    while (kills < KILLS) {
      await pause(random() * LONGEST_LIFE_MS);
      if (await isOver(one(0), ids)) break;
      killed = Date.now();
      kills += await killAndReplace(random, kills === 0);
    }
    for (const { id, place, prefix } of wave) {
      const runs = await untilEnded(one(0), id, 90_000);
      expect(runs).toHaveLength(6);
      longest = Math.max(longest, Date.now() - killed);
      await expectDelivered(place, prefix, runs, uuids);
    }
  }
  enough.abort();
  const acknowledged = (await capturing).map(({ uuid }) => uuid);
  const id = await createExport(one(1), files.destination('ongoing', { max_file_size_mb: 50 }));
  await startBackfill(one(1), id, ongoing);
  await expectDelivered(files, 'ongoing', await untilEnded(one(1), id), acknowledged);
  process.stdout.write(
    `${kills} kills, ${waves} waves of 18 runs, ${acknowledged.length} events captured meanwhile; longest time from a kill to the end of all runs ${longest} ms\n`,
  );
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ifKilled, type RunningSluice, startSluice } from '../kit/sluice.ts';
import { createExport, expectDelivered, isOver, startBackfill, untilEnded } from './check.ts';
import { type BucketPlace, filesystem, openBucketPlace } from './destinations.ts';
import { makeEvents, type Range, send } from './events.ts';
import { chooseSeed, LONG, seeded } from './random.ts';
import { beginWave, keepCapturing } from './waves.ts';

const KILLS = LONG ? 500 : 30;
/** From being ready to being killed, and from being spawned when it is not even ready. */
const LONGEST_LIFE_MS = 1_500;
/** So many kills come while the server is still starting. */
const DURING_START = 0.15;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const yesterday = Math.floor(Date.now() / DAY - 1) * DAY;
/** What every wave of exports delivers: four intervals. */
const backlog: Range = { start: new Date(yesterday), end: new Date(yesterday + 4 * HOUR) };
/** What the client sends all the while. */
const ongoing: Range = { start: new Date(yesterday - DAY), end: new Date(yesterday - DAY + HOUR) };

/** A run that is killed ten times in a row waits: here not for longer than a server lives. */
const env = { SLUICE_RETRY_SECONDS: '1' };
const dataDir = mkdtempSync(join(tmpdir(), 'sluice-kills-'));
const files = filesystem(join(dataDir, 'exports'));
let sluice: RunningSluice;
let bucket: BucketPlace;
let kills = 0;

beforeAll(async () => {
  sluice = await startSluice({ dataDir, env });
  bucket = await openBucketPlace(sluice);
});
afterAll(async () => {
  await sluice?.kill();
  await bucket?.close();
  rmSync(dataDir, { recursive: true, force: true });
});

/** Kills the server, at times again while it starts, and waits until it is ready again. */
async function killAndRestart(random: () => number): Promise<void> {
  await sluice.kill();
  kills += 1;
  while (kills < KILLS && random() < DURING_START) {
    const life = random() * LONGEST_LIFE_MS;
    const stillborn = await startSluice({
      dataDir,
      env,
      onSpawn: (child) => void pause(life).then(() => child.kill('SIGKILL')),
    }).catch(ifKilled);
    await stillborn?.kill();
    kills += 1;
  }
  sluice = await startSluice({ dataDir, env });
}

it(`exactly once through ${KILLS} kills at random moments`, {
  timeout: KILLS * 20_000 + 60_000,
}, async () => {
  const seed = chooseSeed('kills');
  const random = seeded(seed);
  const events = makeEvents(4_000, backlog, 900, random);
  const uuids = events.map(({ uuid }) => uuid);
  await send(sluice.ready, events);
  const enough = new AbortController();
  const capturing = keepCapturing(() => sluice, ongoing, seeded(seed + 1), enough.signal);
  let longest = 0;
  let waves = 0;
  while (kills < KILLS) {
    waves += 1;
    const wave = await beginWave(sluice, waves, { files, bucket }, backlog);
    let restarted = Date.now();
    while (kills < KILLS) {
      await pause(random() * LONGEST_LIFE_MS);
      if (
        await isOver(
          sluice,
          wave.map(({ id }) => id),
        )
      )
        break;
      await killAndRestart(random);
      restarted = Date.now();
    }
    if (LONG) process.stdout.write(`wave ${waves}, ${kills} kills\n`);
    for (const { id, place, prefix } of wave) {
      const runs = await untilEnded(sluice, id);
      expect(runs).toHaveLength(4);
      longest = Math.max(longest, Date.now() - restarted);
      await expectDelivered(place, prefix, runs, uuids);
    }
  }
  enough.abort();
  const acknowledged = await capturing;
  const id = await createExport(sluice, files.destination('ongoing', { max_file_size_mb: 50 }));
  await startBackfill(sluice, id, ongoing);
  const runs = await untilEnded(sluice, id);
  await expectDelivered(
    files,
    'ongoing',
    runs,
    acknowledged.map(({ uuid }) => uuid),
  );
  process.stdout.write(
    `${kills} kills, ${waves} waves of 3 exports, ${uuids.length} events each, ${acknowledged.length} events captured meanwhile; longest recovery ${longest} ms\n`,
  );
});

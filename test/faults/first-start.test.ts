import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { PGlite } from '@electric-sql/pglite';
import { afterEach, expect, it } from 'vitest';
import { prepareDatabase } from '../kit/prepared-database.ts';
import { ifKilled, startSluice } from '../kit/sluice.ts';
import { makeEvents, send } from './events.ts';
import { chooseSeed, LONG, seeded } from './random.ts';

/** anchors.md D.3, row 13: killed while the stores are made, a second process, a newer version's data. */
const KILLS = LONG ? 100 : 2;
const LONGEST_LIFE_MS = 2_000;
let dataDir = '';
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

const fresh = () => {
  dataDir = mkdtempSync(join(tmpdir(), 'sluice-first-'));
  return dataDir;
};

it(
  'killed in the middle of its very first start, it starts whole the next time',
  async () => {
    const random = seeded(chooseSeed('first-start'));
    fresh();
    for (let kill = 0; kill < KILLS; kill++) {
      const life = random() * LONGEST_LIFE_MS;
      const started = await startSluice({
        dataDir,
        firstStart: true,
        onSpawn: (child) => void pause(life).then(() => child.kill('SIGKILL')),
      }).catch(ifKilled);
      await started?.kill();
    }
    const sluice = await startSluice({ dataDir, firstStart: true });
    const hour = { start: new Date('2026-01-01T00:00:00Z'), end: new Date('2026-01-01T01:00:00Z') };
    await send(sluice.ready, makeEvents(10, hour, 100, random));
    const { body } = await sluice.api<{ results: unknown[] }>('GET', '/api/organizations/');
    expect(body.results).toHaveLength(1);
    expect(await sluice.stop()).toBe(0);
  },
  KILLS * 10_000 + 60_000,
);

it("a newer version's database is refused, and left as it is", async () => {
  await prepareDatabase(fresh());
  const folder = join(dataDir, 'database');
  const database = await PGlite.create(folder);
  await database.query("insert into sluice_migrations (name) values ('9999_from_the_future.sql')");
  await database.close();
  await expect(startSluice({ dataDir })).rejects.toThrow(
    /sluice: The database was made by a newer Sluice \(it has 9999_from_the_future/,
  );
  const again = await PGlite.create(folder);
  const { rows } = await again.query('select count(*)::int as count from sluice_migrations');
  const known = readdirSync(new URL('../../src/database/migrations/', import.meta.url));
  expect(rows).toEqual([{ count: known.length + 1 }]);
  await again.close();
});

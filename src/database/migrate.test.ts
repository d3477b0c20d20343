import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Postgres, startPostgres } from '../../test/kit/postgres.ts';
import { openDatabase } from './database.ts';

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres?.stop());

it('processes that start at once on an empty database all find it made, once', async () => {
  for (let round = 0; round < 8; round++) {
    const url = await postgres.createDatabase();
    const opening = Array.from({ length: 6 }, () => openDatabase({ url, dataDir: '/nowhere' }));
    const opened = await Promise.allSettled(opening);
    expect(opened.filter(({ status }) => status === 'rejected')).toEqual([]);
    for (const one of opened) {
      if (one.status === 'fulfilled') await one.value.close();
    }
    const again = await openDatabase({ url, dataDir: '/nowhere' });
    const { rows } = await sql`select name from sluice_migrations`.execute(again.kysely);
    expect(rows.length).toBeGreaterThan(0);
    await again.close();
  }
});

it('an update that is stopped has done what it has done', async () => {
  const url = await postgres.createDatabase();
  const made = await openDatabase({ url, dataDir: '/nowhere' });
  // Both may be applied again.
  const again = ['0014_active_backfill_runs.sql', '0020_first_organization.sql'];
  await sql`drop index runs_backfill_active`.execute(made.kysely);
  await sql`delete from sluice_migrations where name in (${sql.join(again)})`.execute(made.kysely);
  const names = async () => {
    const { rows } = await sql<{ name: string }>`select name from sluice_migrations`.execute(made.kysely);
    return rows.map(({ name }) => name);
  };
  const told: string[] = [];
  const onUpdate = (name: string) => {
    told.push(name);
    if (told.length === 2) throw new Error('stopped');
  };
  await expect(openDatabase({ url, dataDir: '/nowhere', onUpdate })).rejects.toThrow('stopped');
  expect(told).toEqual(again);
  expect(await names()).toContain(again[0]);
  expect(await names()).not.toContain(again[1]);
  await (await openDatabase({ url, dataDir: '/nowhere', onUpdate })).close();
  expect(await names()).toContain(again[1]);
  await made.close();
});

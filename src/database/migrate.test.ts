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

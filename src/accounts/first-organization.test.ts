import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openPreparedDatabase } from '../../test/kit/prepared-database.ts';
import type { Database } from '../database/database.ts';
import { migrateDatabase } from '../database/migrate.ts';
import { createAccounts } from './accounts.ts';
import { organizationUnlessFirst } from './first-organization.ts';

let database: Database;

beforeAll(async () => {
  database = await openPreparedDatabase();
});
afterAll(() => database.close());

it('the first organization is the one of the first start, also where the command line and older versions came before', async () => {
  const db = database.kysely;
  let time = 1_000_000;
  const accounts = createAccounts({ db, clock: { now: () => time++ }, random: randomBytes });
  const add = async (name: string) => {
    const organizationId = await accounts.createOrganization({ name, userId: null });
    return { organizationId, id: await accounts.createProject({ organizationId, name, userId: null }) };
  };
  const before = await add('made on the command line');
  const first = await accounts.bootstrap(undefined);
  const after = await add('later');
  const check = async () => {
    expect(await organizationUnlessFirst(db, first.projectId)).toBeNull();
    expect(await organizationUnlessFirst(db, before.id)).toBe(before.organizationId);
    expect(await organizationUnlessFirst(db, after.id)).toBe(after.organizationId);
  };
  await check();
  const { value } = await db.selectFrom('instance').select('value').executeTakeFirstOrThrow();
  const { at } = value as { at: string };
  await db
    .updateTable('instance')
    .set({ value: JSON.stringify({ at }) })
    .execute();
  expect(await organizationUnlessFirst(db, first.projectId), 'not known: nobody').toBe(first.organizationId);
  await db
    .deleteFrom('sluice_migrations' as never)
    .where('name' as never, '=', '0020_first_organization.sql' as never)
    .execute();
  await migrateDatabase(db);
  await check();
});

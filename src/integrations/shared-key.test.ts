import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Postgres, startPostgres } from '../../test/kit/postgres.ts';
import { type Database, openDatabase } from '../database/database.ts';
import { checkSharedKey } from './shared-key.ts';

let postgres: Postgres;
let database: Database;
beforeAll(async () => {
  postgres = await startPostgres();
  database = await openDatabase({ url: await postgres.createDatabase(), dataDir: '/nowhere' });
});
afterAll(async () => {
  await database?.close();
  await postgres?.stop();
});
beforeEach(() => database.kysely.deleteFrom('instance').execute());

const check = (...secrets: string[]) => checkSharedKey(database.kysely, secrets);
const [old, fresh, strange] = ['the first secret key', 'the second secret key', 'a secret key of its own'];
const refused = { code: 'bad_configuration', message: expect.stringContaining('SLUICE_SECRET_KEY') };

it('takes the first key, the same key again, and no other', async () => {
  await check(old);
  await check(old);
  await expect(check(strange)).rejects.toMatchObject(refused);
  await check(old);
});

it('goes along with a rotation: new before old, then new alone; and a process that is not there yet may start', async () => {
  await check(old);
  await expect(check(fresh)).rejects.toMatchObject(refused);
  await check(fresh, old);
  await check(old);
  await check(fresh);
  await expect(check(strange)).rejects.toMatchObject(refused);
});

it('of two first processes with different keys one is refused', async () => {
  for (let round = 0; round < 10; round++) {
    await database.kysely.deleteFrom('instance').execute();
    const outcomes = await Promise.allSettled([check(old), check(strange)]);
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  }
});

it('keeps nothing of the key itself', async () => {
  await check(old);
  const { value } = await database.kysely.selectFrom('instance').select('value').executeTakeFirstOrThrow();
  expect(value).toEqual([expect.stringMatching(/^[0-9a-f]{8}$/)]);
});

import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Postgres, startPostgres } from '../../test/kit/postgres.ts';
import { type Database, openDatabase } from '../database/database.ts';
import { createSealer } from './sealing.ts';
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
const ORGANIZATION = '00000000-0000-4000-8000-000000000001';
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

it('where none is remembered, the key has to open something of what is stored', async () => {
  const db = database.kysely;
  const created_at = new Date(0);
  await db.insertInto('organizations').values({ id: ORGANIZATION, name: 'O', created_at }).execute();
  const project = { organization_id: ORGANIZATION, name: 'P', api_token: 'phc_', created_at };
  const { id: team_id } = await db
    .insertInto('projects')
    .values(project)
    .returning('id')
    .executeTakeFirstOrThrow();
  const sealed = createSealer([old], randomBytes).seal('hunter2hunter2');
  const own = { team_id, created_at, last_updated_at: created_at };
  const batchExport = { ...own, id: ORGANIZATION, name: 'E', model: 'events', interval: 'hour' };
  const destination = { destination_type: 'HTTP', destination_config: '{}', destination_sealed: sealed };
  const app = {
    team_id,
    plugin_id: 1,
    enabled: true,
    config: '{}',
    sealed,
    created_at,
    updated_at: created_at,
  };
  const integration = { team_id, kind: 'aws-s3', identity: 'i', config: '{}', sealed, created_at };
  for (const [table, store] of [
    ['integrations', () => db.insertInto('integrations').values(integration).execute()],
    [
      'batch_exports',
      () =>
        db
          .insertInto('batch_exports')
          .values({ ...batchExport, ...destination, next_interval_start: created_at })
          .execute(),
    ],
    ['plugin_configs', () => db.insertInto('plugin_configs').values(app).execute()],
  ] as const) {
    await db.deleteFrom('instance').execute();
    await store();
    await expect(check(strange), table).rejects.toMatchObject(refused);
    await check(old);
    await expect(check(strange)).rejects.toMatchObject(refused);
    await db.deleteFrom('instance').execute();
    await check(fresh, old);
    await check(fresh);
    if (table === 'integrations') await db.deleteFrom(table).execute();
    else await db.updateTable(table).set({ deleted_at: created_at }).execute();
  }
  // What was deleted nobody has to open.
  await db.deleteFrom('instance').execute();
  await check(strange);
});

it('takes any key once it is told to forget a lost one, in the words of the refusal', async () => {
  await check(old);
  const { message } = await check(strange).then(
    () => new Error('accepted'),
    (error: Error) => error,
  );
  await sql.raw(/run "(.*?)" in the database/.exec(message)?.[1] ?? '').execute(database.kysely);
  await check(strange);
  await expect(check(old)).rejects.toMatchObject(refused);
});

it('keeps nothing of the key itself', async () => {
  await check(old);
  const { value } = await database.kysely.selectFrom('instance').select('value').executeTakeFirstOrThrow();
  expect(value).toEqual([expect.stringMatching(/^[0-9a-f]{8}$/)]);
});

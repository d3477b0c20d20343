import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openPreparedDatabase } from '../../test/kit/prepared-database.ts';
import { createAccounts } from '../accounts/accounts.ts';
import { appsTurnedOn } from '../apps/plugin-configs/turned-on.ts';
import { activeExports } from '../batch-exports/store.ts';
import type { Database } from '../database/database.ts';
import { whereItGoes } from './readers.ts';

const AT = new Date('2026-03-10T10:30:00Z');
let database: Database;
beforeAll(async () => {
  database = await openPreparedDatabase();
});
afterAll(() => database.close());

it.each([
  [0, 0, null],
  [1, 0, 'This project has 1 active export: '],
  [0, 1, 'This project has 1 app turned on: '],
  [2, 3, 'This project has 2 active exports and 3 apps turned on: '],
])('of %i exports and %i apps an import says %s', (exports, apps, words) => {
  const told = whereItGoes({ readSoFar: 0, exports, apps });
  expect(told).toEqual(words === null ? null : expect.stringContaining(words));
});

it('counts what is active in the project, and nothing else', async () => {
  const { kysely: db } = database;
  const accounts = createAccounts({ db, clock: { now: () => AT.getTime() }, random: randomBytes });
  const { organizationId, projectId } = await accounts.bootstrap(undefined);
  const other = await accounts.createProject({ organizationId, name: 'other', userId: null });
  const add = async (n: number, changes: object) => {
    const times = { created_at: AT, last_updated_at: AT, next_interval_start: AT, next_due_at: AT };
    const what = { name: 'n', model: 'events', destination_type: 'NoOp', destination_config: '{}' };
    const id = `019a0000-0000-7000-8000-00000000000${n}`;
    await db
      .insertInto('batch_exports')
      .values({ ...times, ...what, interval: 'hour', team_id: projectId, id, ...changes })
      .execute();
  };
  await add(1, {});
  await add(2, { paused: true, next_due_at: null });
  await add(3, { deleted_at: AT, next_due_at: null });
  await add(4, { next_due_at: null });
  await add(5, { team_id: other });
  expect(await activeExports(db, projectId)).toBe(1);

  const app = { plugin_id: 1, config: '{}', created_at: AT, updated_at: AT, team_id: projectId };
  await db
    .insertInto('plugin_configs')
    .values([
      { ...app, enabled: true },
      { ...app, enabled: false },
      { ...app, enabled: true, deleted_at: AT },
      { ...app, enabled: true, team_id: other },
    ])
    .execute();
  expect(await appsTurnedOn(db, projectId)).toBe(1);
});
